"""Requests whose head is still coming, without a thread each.

gunicorn gives a connection to a thread with its first byte, and the thread waits for the rest:
forty clients that send half a head, and no more, are answered by nobody, and nobody else is. Here
the main thread gathers what comes, and a thread gets the connection when the head is whole. TLS is
no different: what reads from it first brings the handshake forward, as far as the client does.
"""

import contextlib
import selectors
import ssl
from functools import partial
from typing import Any

from gunicorn.http import get_parser

from placet.web.idle import Looked
from placet.web.patience import Patience

SECONDS = 20.0  # from the beginning of a head, or of TLS before it, to its end
PIECE, MOST = 1 << 14, 1 << 16  # bytes: a record of TLS, and of a head
END = b"\r\n\r\n"
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)


class Heads(Looked):
    """The connections of a worker whose next request has not quite come."""

    def __init__(self, worker: Any) -> None:
        super().__init__(worker, SECONDS)

    def take(self, conn: Any, said: bytes = b"") -> None:
        """Wait for the head of the next request of a connection, of which ``said`` has come."""
        conn.said = bytearray()
        self.add(conn)
        if not (said and self._begins(conn, said)):
            self.look(conn)

    def readable(self, conn: Any) -> None:
        """Take all that is here of a head."""
        try:
            while piece := conn.sock.recv(PIECE):
                if self._begins(conn, piece):
                    return
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            self._wait(conn, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:  # a handshake that the client is slow to take
            self._wait(conn, selectors.EVENT_WRITE)
        except ssl.SSLError as error:
            self.worker.log.info("No TLS with %s: %s", conn.client, error)
            self.end(conn)
        except OSError:
            self.end(conn)
        else:
            self.end(conn)

    def _wait(self, conn: Any, event: int) -> None:
        """Look again when there is something to read, or room to write."""
        if self.worker.poller.get_key(conn.sock).events != event:
            self.worker.poller.modify(conn.sock, event, partial(self.look, conn))

    def _begins(self, conn: Any, piece: bytes) -> bool:
        """Give the connection away, if a thread can begin with it or it is too much; tell."""
        looked = max(0, len(conn.said) - len(END) + 1)
        conn.said += piece
        if conn.said.find(END, looked, MOST) >= 0:
            self._begin(conn)
        elif len(conn.said) >= MOST:
            self._refuse(conn)
        else:
            return False
        return True

    def _begin(self, conn: Any) -> None:
        self.remove(conn)
        if conn.parser is None:
            conn.parser = get_parser(conn.cfg, conn.sock, conn.client)
        conn.parser.unreader.chunk = Patience(conn.sock).chunk
        conn.parser.unreader.unread(bytes(conn.said))
        conn.said.clear()
        conn.data_ready = True
        self.worker.enqueue_req(conn)

    def _refuse(self, conn: Any) -> None:
        self.remove(conn)
        with contextlib.suppress(OSError):  # it takes no answer
            conn.sock.send(TOO_LARGE)
        self.worker.leaving.take(conn)
