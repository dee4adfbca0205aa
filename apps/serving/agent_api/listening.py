"""One listener for each web process: it hears of signed states for all polls that wait there.

The connection is the listener's own, outside the pool of those that answer. It says which nodes
wait here, so that of all polls of one node, on whichever process or machine, the newest stays:
PostgreSQL has everybody hear what is said in one order.
"""

import contextlib
import itertools
import select
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from django.db import connection
from psycopg import Notify

from apps.serving.desired import CHANNEL

if TYPE_CHECKING:
    from apps.serving.agent_api.waiting import Poll

log = structlog.get_logger(__name__)
POLLS = "placet_polls"  # who waits where: "node.number node.number …"
LOOK_EVERY = 2.0  # a notification wakes us at once; this is for one that was lost
LONGEST_RETRY = 5.0
POLLS_AT_ONCE = 100  # polls in one notification, which may have 8,000 bytes
# a server that went away without a word is given up soon
OWN = {
    "application_name": "placet listener",
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
}
BEHIND = """
SELECT w.node FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
  AS w (node, target, epoch, number)
JOIN serving_desiredstate s ON s.target_id = w.target
WHERE s.envelope <> '' AND (s.epoch, s.number) <> (w.epoch, w.number)
"""


@dataclass(eq=False, slots=True)
class ListedPoll:
    """A poll, its number in this process, and whether we have heard that it waits, as all do."""

    poll: "Poll"
    number: int
    heard: bool = False

    @property
    def name(self) -> str:
        """How others are told of it."""
        return f"{self.poll.node}.{self.number}"


@dataclass(eq=False)
class Listener:
    """Hears for all polls of this process. Its thread starts with the first of them."""

    _entries: dict[str, ListedPoll] = field(default_factory=dict)  # by node
    _fresh: list[ListedPoll] = field(default_factory=list)  # those that nobody was told of
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _door: socket.socket | None = None  # what is sent here wakes the thread

    def add(self, poll: "Poll") -> None:
        """Hear for ``poll``, and no longer for the one that its node had here."""
        with self._lock:
            before = self._entries.get(poll.node)
            self._entries[poll.node] = entry = ListedPoll(poll, next(self._numbers))
            self._fresh.append(entry)
            if self._thread is None or not self._thread.is_alive():
                self._start()
            self._ring()
        if before is not None:
            before.poll.give_way()

    def remove(self, poll: "Poll") -> None:
        """Hear for ``poll`` no more."""
        with self._lock:
            entry = self._entries.get(poll.node)
            if entry is not None and entry.poll is poll:
                del self._entries[poll.node]

    def _start(self) -> None:
        self._door, inside = socket.socketpair()
        for end in (self._door, inside):
            end.setblocking(False)
        self._thread = threading.Thread(
            target=self._run, args=[inside], name="listener", daemon=True
        )
        self._thread.start()

    def _ring(self) -> None:
        """Have the thread tell at once of a poll that is new."""
        assert self._door is not None
        with contextlib.suppress(BlockingIOError):  # it has been rung for long
            self._door.send(b"!")

    def _run(self, inside: socket.socket) -> None:
        wait = 0.0
        while True:
            begun = time.monotonic()
            try:
                with connect() as own:
                    self._listen(own, inside)
            except psycopg.Error as error:
                log.warning("listener_lost", error=type(error).__name__)
            except Exception:
                log.exception("listener_failed")
            lasted = time.monotonic() - begun > 2 * LONGEST_RETRY
            wait = 0.25 if lasted else min(max(0.25, wait * 2), LONGEST_RETRY)
            time.sleep(wait)

    def _listen(self, own: "psycopg.Connection[Any]", inside: socket.socket) -> None:
        """Hear until the connection breaks. What was signed before is found by looking."""
        for channel in (CHANNEL, POLLS):
            own.execute(f"LISTEN {channel}")
        self._begin_anew()
        look_at = time.monotonic() + LOOK_EVERY
        while True:
            fresh = self._taken_fresh()
            self._look(own, fresh)
            self._say(own, fresh)
            if time.monotonic() >= look_at:
                self._look(own, self._all())
                look_at = time.monotonic() + LOOK_EVERY
            notices = list(own.notifies(timeout=0))  # that came with an answer
            if not notices:
                wait_for(own, inside, look_at - time.monotonic())
                notices = list(own.notifies(timeout=0))
            targets = {notice.payload for notice in notices if notice.channel == CHANNEL}
            if targets:
                self._look(own, [e for e in self._all() if e.poll.target in targets])
            self._hear_of_polls(notices, own.info.backend_pid)

    def _all(self) -> list[ListedPoll]:
        with self._lock:
            return list(self._entries.values())

    def _begin_anew(self) -> None:
        with self._lock:
            self._fresh = [ListedPoll(entry.poll, entry.number) for entry in self._entries.values()]
            self._entries = {entry.poll.node: entry for entry in self._fresh}

    def _taken_fresh(self) -> list[ListedPoll]:
        with self._lock:
            fresh, self._fresh = self._fresh, []
            return [entry for entry in fresh if self._entries.get(entry.poll.node) is entry]

    def _hear_of_polls(self, notices: Sequence[Notify], own: int) -> None:
        for notice in notices:
            if notice.channel == POLLS:
                for name in notice.payload.split():
                    self._heard_of(name, mine=notice.pid == own)

    def _heard_of(self, name: str, *, mine: bool) -> None:
        with self._lock:
            entry = self._entries.get(name.rpartition(".")[0])
        if entry is None:
            return
        if mine:
            entry.heard = entry.heard or entry.name == name
        elif entry.heard:  # else ours is the newer one: that it waits comes behind this
            entry.poll.give_way()

    def _look(self, own: "psycopg.Connection[Any]", entries: Sequence[ListedPoll]) -> None:
        """Wake those whose target has another state, all found in one query: what was heard may be
        of a state that a node has already."""
        by_node = {entry.poll.node: entry for entry in entries}
        if not by_node:
            return
        polls = [entry.poll for entry in by_node.values()]
        targets, known = [poll.target for poll in polls], [poll.known for poll in polls]
        columns = [list(by_node), targets, [k[0] for k in known], [k[1] for k in known]]
        for (node,) in own.execute(BEHIND, columns).fetchall():
            by_node[node].poll.news()

    def _say(self, own: "psycopg.Connection[Any]", entries: Sequence[ListedPoll]) -> None:
        """Tell all processes, ours too, whose polls wait here."""
        for first in range(0, len(entries), POLLS_AT_ONCE):
            names = [entry.name for entry in entries[first : first + POLLS_AT_ONCE]]
            own.execute("SELECT pg_notify(%s, %s)", [POLLS, " ".join(names)])


def wait_for(own: "psycopg.Connection[Any]", inside: socket.socket, seconds: float) -> None:
    """Wait until PostgreSQL says something, or somebody rings. psycopg's own wait looks ten times a
    second, and without a pause in the last millisecond."""
    poller = select.poll()
    poller.register(own.fileno(), select.POLLIN)
    poller.register(inside, select.POLLIN)
    poller.poll(max(0.0, seconds) * 1000)
    with contextlib.suppress(BlockingIOError):
        while inside.recv(4096):
            pass


def connect() -> "psycopg.Connection[Any]":
    """Return a connection of our own to the database that Django uses."""
    return psycopg.connect(**(connection.get_connection_params() | OWN), autocommit=True)


listener = Listener()
