"""Requests whose head is still coming, without a thread each.

gunicorn gives a connection to a thread with its first byte, and the thread waits for the rest:
forty clients that send half a head, and no more, are answered by nobody, and nobody else is. Here
the main thread gathers what comes, and a thread gets the connection when the head is whole. Where
we speak TLS ourselves, a thread still begins the connection: put a proxy in front.
"""

import contextlib
import selectors
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gunicorn.http import get_parser

from placet.patience import Patience

SECONDS = 20.0  # from the beginning of a head to its end
PIECE, MOST = 1 << 13, 1 << 16  # bytes; of more the parser decides, and waits no longer
END = b"\r\n\r\n"


@dataclass(slots=True)
class Coming:
    """What has come of a head."""

    said: bytearray
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    @property
    def whole(self) -> bool:
        """Whether a thread can begin with it."""
        return END in self.said or len(self.said) > MOST


class Heads:
    """The connections of a worker whose next request has not quite come."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self._coming: dict[Any, Coming] = {}  # in the order of ``until``

    def take(self, conn: Any, said: bytes = b"") -> None:
        """Wait for the head of the next request of a connection, of which ``said`` has come."""
        conn.sock.setblocking(False)
        self._coming[conn] = Coming(bytearray(said))
        self.worker.poller.register(conn.sock, selectors.EVENT_READ, partial(self._readable, conn))
        if said:
            self._look(conn)
        else:
            self._readable(conn, conn.sock)

    def __len__(self) -> int:
        return len(self._coming)

    def end_oldest(self) -> None:
        """End the one that waits longest."""
        self._end(next(iter(self._coming)))

    def end_late(self) -> None:
        """End those whose time is up."""
        now = time.monotonic()
        while self._coming and next(iter(self._coming.values())).until <= now:
            self.end_oldest()

    def end_all(self) -> None:
        """End all, for this process ends."""
        for conn in list(self._coming):
            self._end(conn)

    def _readable(self, conn: Any, _: Any) -> None:
        if conn not in self._coming:
            return  # it went in this very turn of the loop
        try:
            piece = conn.sock.recv(PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        if not piece:
            self._end(conn)
            return
        self._coming[conn].said += piece
        self._look(conn)

    def _look(self, conn: Any) -> None:
        """Give the connection to a thread, if it can begin."""
        if not self._coming[conn].whole:
            return
        said = self._leave(conn).said
        if conn.parser is None:
            conn.parser = get_parser(conn.cfg, conn.sock, conn.client)
        conn.parser.unreader.chunk = Patience(conn.sock).chunk
        conn.parser.unreader.unread(bytes(said))
        conn.data_ready = True
        self.worker.enqueue_req(conn)

    def _leave(self, conn: Any) -> Coming:
        coming = self._coming.pop(conn)
        with contextlib.suppress(KeyError, ValueError, OSError):  # not looked at any more
            self.worker.poller.unregister(conn.sock)
        return coming

    def _end(self, conn: Any) -> None:
        self._leave(conn)
        self.worker.nr_conns -= 1
        conn.close()
