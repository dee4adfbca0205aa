"""Connections whose last answer is sent, without a thread and without a wait for each.

A connection that is closed while bytes of its client lie unread is reset, and the client may lose
the end of its answer. So our side of it is ended first, and what still comes is read for a while.
gunicorn does that on the main thread, one connection after another, and waits two seconds for each
client that does not end its own side: nothing else happens in the process meanwhile.
"""

import contextlib
import socket
from typing import Any

from placet.web.idle import Looked
from placet.web.sending import is_reset

SECONDS = 2.0
PIECE, MOST = 1 << 13, 1 << 16  # bytes that are read, for nobody


class Leaving(Looked):
    """The connections of a worker that end as soon as their client has ended its side."""

    told = True

    def __init__(self, worker: Any) -> None:
        super().__init__(worker, SECONDS)

    def refuse(self, conn: Any, answer: bytes) -> None:
        """Say why it is not answered, and end it."""
        with contextlib.suppress(OSError):  # it takes nothing
            conn.sock.send(answer)
        self.take(conn)

    def take(self, conn: Any) -> None:
        """End our side of a connection, and soon all of it: at once where an answer broke off and
        the end of our side would say that it was whole."""
        try:
            if is_reset(conn.sock):
                self.end(conn)
                return
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # its client was faster
            self.end(conn)
            return
        conn.thrown_away = 0
        self.add(conn)
        self.look(conn)

    def readable(self, conn: Any) -> None:
        """Throw away what still comes."""
        try:
            piece = conn.sock.recv(PIECE)
        except (BlockingIOError, InterruptedError):  # of TLS nothing is read any more
            return
        except OSError:
            piece = b""
        conn.thrown_away += len(piece)
        if not piece or conn.thrown_away > MOST:
            self.end(conn)
