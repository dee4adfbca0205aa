"""Connections whose request waits for news (``placet.kernel.waiting``), without a thread each.

All of it happens on the main thread of gunicorn's worker, and what goes wrong with one connection
ends that one, and not the process. Those who wait are no part of what ``worker_connections``
limits, so that they leave people their connections, and when news comes for many at once, only a
quarter of the threads answers them: pages go on being answered meanwhile.
"""

import contextlib
import resource
import selectors
import ssl
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

from placet.kernel.waiting import Wait

MOST = 10_000  # of each process, where it may open so many files
SPARE_FILES = 256  # for what is neither a waiting connection nor another client's
PIECE, MOST_AHEAD = 1 << 14, 1 << 16  # bytes that a client sends before its answer
LOOK_EVERY = 0.25


@dataclass(eq=False, slots=True)
class Held:
    """A request that waits, and its answer for when nothing comes."""

    request: Any  # gunicorn's
    wait: Wait
    answer: tuple[Any, ...]
    body: list[bytes]
    news: bool = False

    @property
    def late(self) -> bool:
        """Whether time is up."""
        return self.wait.waited >= self.wait.seconds


def shares(others: int) -> tuple[int, int]:
    """Return how many may wait, and how many of ``others`` there may be beside them; have this
    process open all files that it may."""
    now, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = others + MOST + SPARE_FILES
    files = wanted if limit == resource.RLIM_INFINITY else min(wanted, limit)
    if files > now != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, limit))
    most = max(files - others - SPARE_FILES, files // 2)
    return most, min(others, files - most - min(SPARE_FILES, files // 4))


class WaitingRoom:
    """Where a worker keeps those connections."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.most, worker.worker_connections = shares(worker.worker_connections)
        self._held: dict[Any, Held] = {}
        self._due: deque[Any] = deque()
        self._under_way: set[Any] = set()
        self._at_once = max(1, worker.cfg.threads // 4)
        self._look_at = 0.0

    @property
    def full(self) -> bool:
        """Whether no more can wait."""
        return len(self._held) >= self.most

    def take(self, conn: Any, held: Held) -> None:
        """Keep a connection until there is news, time is up, or its client goes away."""
        conn.sock.setblocking(False)
        look = partial(self._look, conn)
        self.worker.poller.register(conn.sock, selectors.EVENT_READ, look)
        held.wait.begin(partial(self.worker.method_queue.defer, self._news, conn, held))
        self._held[conn] = held
        self.worker.nr_conns -= 1
        if not self.worker.alive:
            self._call(conn)

    def answer_late(self) -> None:
        """Answer those whose time is up."""
        if (now := time.monotonic()) >= self._look_at:
            self._look_at = now + LOOK_EVERY
            for conn in [conn for conn, held in self._held.items() if held.late]:
                self._call(conn)

    def answer_all(self) -> None:
        """Answer all that wait, for this process ends."""
        for conn in list(self._held):
            self._call(conn)

    def answered(self, conn: Any) -> bool:
        """Let the next one be answered, if this one has waited; tell whether it had."""
        if conn not in self._under_way:
            return False
        self._under_way.remove(conn)
        self._admit()
        return True

    def _news(self, conn: Any, held: Held) -> None:
        if self._held.get(conn) is held:
            held.news = True
            self._call(conn)

    def _call(self, conn: Any) -> None:
        try:
            conn.held = self._leave(conn)
        except Exception:
            self._give_up(conn)
        else:
            self._due.append(conn)
        self._admit()

    def _admit(self) -> None:
        while self._due and len(self._under_way) < self._at_once:
            conn = self._due.popleft()
            self._under_way.add(conn)
            self.worker.nr_conns += 1
            try:
                self.worker.enqueue_req(conn)
            except Exception:
                self._under_way.remove(conn)
                self.worker.nr_conns -= 1
                self._give_up(conn)

    def _leave(self, conn: Any) -> Held:
        held = self._held.pop(conn)
        held.wait.end()
        self._look_away(conn)
        return held

    def _look(self, conn: Any, _: Any) -> None:
        """Look at a connection."""
        if conn not in self._held:
            return  # news came in the same turn of the loop: a thread answers it, and sees
        try:
            self._readable(conn)
        except Exception:
            self._give_up(conn)

    def _give_up(self, conn: Any) -> None:
        """End a connection with which something goes wrong."""
        self.worker.log.exception("A connection that waits is given up")
        self._held.pop(conn, None)
        self._look_away(conn)
        conn.close()

    def _readable(self, conn: Any) -> None:
        """Find a client that has gone away; keep what another sends ahead of its answer.

        One that has TLS answer (new keys, say) and takes none of it is ended: nothing is read of
        it until it does, so that its socket would be found readable at once, over and over.
        """
        try:
            more = conn.sock.recv(PIECE)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            return  # TLS had something to say to itself
        except OSError:  # or it takes nothing of what TLS has to say, and would take no answer
            more = b""
        if not more:
            self._leave(conn)
            conn.close()
            return
        ahead = conn.parser.unreader.buf
        ahead.seek(0, 2)
        ahead.write(more)
        if ahead.tell() >= MOST_AHEAD:
            self._look_away(conn)

    def _look_away(self, conn: Any) -> None:
        with contextlib.suppress(KeyError, ValueError, OSError):  # not looked at any more
            self.worker.poller.unregister(conn.sock)
