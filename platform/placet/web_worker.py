"""gunicorn's threaded worker, with connections that can be kept whatever was asked on them.

Two things of gunicorn 26 cut clients off that keep their connection. What is left of a body that
nobody read is read *after* the answer was sent (``ThreadWorker._keepalive_after``): the next
request, which the client may have sent by then, comes with it into gunicorn's own buffer. And a
kept connection waits until its socket has bytes (``finish_request``), which those are no longer:
after two seconds it is closed without an answer. A client that pipelines meets the second alone.
So bodies are read to their end before the answer begins, and a connection whose next request is
here already is not left waiting.
"""

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

# As much as any route takes: who sent it gets an answer, and not a connection that breaks.
MAX_UNREAD, SECONDS, PIECE = 64 << 20, 10.0, 1 << 16
Begin = Callable[..., Any]
Application = Callable[..., Iterable[bytes]]


class Worker(ThreadWorker):  # type: ignore[misc]
    """Serves Placet's pages and API."""

    def load_wsgi(self) -> None:
        """Load the application; each of its answers waits for the end of the request."""
        super().load_wsgi()
        self.wsgi: Application = answers_after_the_body(self.wsgi)

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        """Keep the connection, or take the request that came with the last one."""
        if self.alive and not fs.cancelled() and not fs.exception() and fs.result() is True:
            reader = getattr(conn.parser, "unreader", None)
            if reader is not None and reader.buf.getbuffer().nbytes:
                self.enqueue_req(conn)
                return
        super().finish_request(conn, fs)


def answers_after_the_body(application: Application) -> Application:
    """Return the application with what it leaves of a request's body read before it answers.

    Where that is too much, or does not come, the answer says that the connection ends.
    """

    def call(environ: dict[str, Any], start_response: Begin) -> Iterable[bytes]:
        def begin(*answer: Any) -> Any:
            if not read_to_its_end(environ):
                start_response.__self__.force_close()  # type: ignore[attr-defined]
            return start_response(*answer)

        return application(environ, begin)

    return call


def read_to_its_end(environ: dict[str, Any]) -> bool:
    """Read what is left of a request's body; tell whether its end came."""
    body, wire = environ["wsgi.input"], environ.get("gunicorn.socket")
    until, left = time.monotonic() + SECONDS, MAX_UNREAD
    before = wire.gettimeout() if isinstance(wire, socket.socket) else None
    try:
        while left > 0 and (wait := until - time.monotonic()) > 0:
            if isinstance(wire, socket.socket):
                wire.settimeout(wait)
            piece = body.read(min(left, PIECE))
            if not piece:
                return True
            left -= len(piece)
    except Exception:  # gunicorn has its own errors for bodies that break the protocol
        return False
    finally:
        if isinstance(wire, socket.socket):
            wire.settimeout(before)
    return False
