"""Connections whose last answer is sent, without a thread and without a wait for each.

A connection that is closed while bytes of its client lie unread is reset, and the client may lose
the end of its answer. So our side of it is ended first, and what still comes is read for a while.
gunicorn does that on the main thread, one connection after another, and waits two seconds for each
client that does not end its own side: nothing else happens in the process meanwhile.
"""

import contextlib
import selectors
import socket
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

SECONDS = 2.0
PIECE, MOST = 1 << 13, 1 << 16  # bytes that are read, for nobody


@dataclass(slots=True)
class Left:
    """Until when a client's bytes are read, and how many came."""

    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    read: int = 0


class Leaving:
    """The connections of a worker that end as soon as their client has ended its side."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self._left: dict[Any, Left] = {}  # in the order of ``until``

    def __len__(self) -> int:
        return len(self._left)

    def take(self, conn: Any) -> None:
        """End our side of a connection, and soon all of it."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # its client was faster
            self._close(conn)
            return
        self._left[conn] = Left()
        self.worker.poller.register(conn.sock, selectors.EVENT_READ, partial(self._readable, conn))
        self._readable(conn, conn.sock)

    def end_late(self) -> None:
        """End those whose time is up."""
        now = time.monotonic()
        while self._left and next(iter(self._left.values())).until <= now:
            self.end_oldest()

    def end_oldest(self) -> None:
        """End the one that has been here longest."""
        self._end(next(iter(self._left)))

    def _readable(self, conn: Any, _: Any) -> None:
        if (left := self._left.get(conn)) is None:
            return  # it went in this very turn of the loop
        try:
            piece = conn.sock.recv(PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        left.read += len(piece)
        if not piece or left.read > MOST:
            self._end(conn)

    def _end(self, conn: Any) -> None:
        del self._left[conn]
        with contextlib.suppress(KeyError, ValueError, OSError):  # not looked at any more
            self.worker.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Any) -> None:
        self.worker.nr_conns -= 1
        conn.close()
