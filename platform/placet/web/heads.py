"""Requests whose head is still coming, without a thread each.

gunicorn gives a connection to a thread with its first byte, and the thread waits for the rest:
forty clients that send half a head, and no more, are answered by nobody, and nobody else is. Here
the main thread gathers what comes, and a thread gets the connection when the head is whole. TLS is
no different: what reads from it first brings the handshake forward, as far as the client does.

A step of a handshake costs this thread what a hundred other readings do, and its client next to
nothing. So they wait until all else that has come is done, and clients take turns.
"""

import selectors
import ssl
import time
from collections import Counter
from functools import partial
from typing import Any

from gunicorn.http import get_parser

from placet.web.idle import Looked
from placet.web.patience import Patience
from placet.web.tls import Wire

SECONDS = 20.0  # from the beginning of a head, or of TLS before it, to its end
HANDSHAKES = 0.005  # seconds for them, until it is looked again what else has come
PIECE, MOST = 1 << 14, 1 << 16  # bytes: a record of TLS, and of a head
END = b"\r\n\r\n"
LINE = 8190  # bytes of the first line, the address: gunicorn takes no more
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)
_PAGE = (
    b"<!doctype html><html lang=en><title>The address is too long</title>"
    b"<h1>The address is too long</h1>"
    b"<p>At most 8,000 characters are taken. Go back, shorten what you typed, and try again.</p>"
)
TOO_LONG = (
    b"HTTP/1.1 414 URI Too Long\r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_PAGE), _PAGE)
)


class Heads(Looked):
    """The connections of a worker whose next request has not quite come."""

    def __init__(self, worker: Any) -> None:
        super().__init__(worker, SECONDS)
        self._shaking: set[Any] = set()  # whose next step of a handshake may be here
        self._steps, self._had = 0, dict[bytes, int]()  # the last one of each client

    def take(self, conn: Any, said: bytes = b"") -> None:
        """Wait for the head of the next request of a connection, of which ``said`` has come."""
        conn.said = bytearray()
        self.add(conn)
        if not (said and self._begins(conn, said)):
            self.look(conn)

    def look(self, conn: Any, _: Any = None) -> None:
        """Do what there is to do with a connection; a step of a handshake is for ``shake_hands``,
        and none for a connection that is about to end."""
        if isinstance(conn.sock, Wire) and conn.sock.shakes_hands:
            self._shaking.add(conn)
        else:
            super().look(conn)

    def shake_hands(self) -> None:
        """Bring handshakes forward: of each client's oldest, before a second of any, the one whose
        client has had none for longest; as many as there is time for, and one. The poller tells of
        the others again."""
        here = sorted(self._shaking & self._until.keys(), key=self._until.__getitem__)
        self._shaking.clear()
        clients, waits = Counter[bytes](), list[tuple[int, int, int]]()
        for index, conn in enumerate(here):
            waits.append((clients[conn.origin], self._had.get(conn.origin, 0), index))
            clients[conn.origin] += 1
        until = time.monotonic() + HANDSHAKES
        for _, _, index in sorted(waits):
            self._steps += 1
            self._had[here[index].origin] = self._steps
            super().look(here[index])
            if time.monotonic() >= until:
                break
        self._had = {client: step for client, step in self._had.items() if client in clients}

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
        start = max(0, len(conn.said) - len(END) + 1)
        conn.said += piece
        if len(conn.said) > LINE and conn.said.find(b"\r\n", 0, LINE) < 0:
            self.remove(conn)
            self.worker.leaving.refuse(conn, TOO_LONG)
        elif conn.said.find(END, start, MOST) >= 0:
            self._begin(conn)
        elif len(conn.said) >= MOST:
            self.remove(conn)
            self.worker.leaving.refuse(conn, TOO_LARGE)
        else:
            return False
        return True

    def _begin(self, conn: Any) -> None:
        self.remove(conn)
        if conn.parser is None:
            conn.parser = get_parser(conn.cfg, conn.sock, conn.client)
        conn.patience = Patience(conn.sock, self.worker.slow, conn.origin)
        conn.parser.unreader.chunk = conn.patience.chunk
        conn.parser.unreader.unread(bytes(conn.said))
        conn.said.clear()
        conn.data_ready = True
        self.worker.enqueue_req(conn)
