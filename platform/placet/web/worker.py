"""gunicorn's threaded worker, with connections that can be kept whatever was asked on them, and
requests that can wait without a thread.

Two things of gunicorn 26 cut clients off that keep their connection. What is left of a body that
nobody read is read *after* the answer was sent (``ThreadWorker._keepalive_after``): the next
request, which the client may have sent by then, comes with it into gunicorn's own buffer. And a
kept connection waits until its socket has bytes (``finish_request``), which those are no longer:
after two seconds it is closed without an answer. A client that pipelines meets the second alone.
So bodies are read to their end before the answer begins, and a connection whose next request is
here already is not left waiting. And it closes idle connections without a look whether a request
has come: of 10,000 behind a proxy on a busy machine two were lost. So it is looked, and they are
kept for longer than proxies keep theirs (``deploy/gunicorn.conf.py``).

The main thread alone looks at connections, plain or with TLS, and gives one to a thread only with a
whole head (``placet.web.heads``); what goes wrong with one of them ends that one.

A request that waits for news (``placet.kernel.waiting``) goes through three hands. The application
gives it back unanswered (``Kept``, raised where gunicorn would write the answer), the main thread
keeps its connection (``placet.web.waiting_room``), and at last a thread answers it: with what the
application had said for when nothing comes, or, when there is news, with what it says now.
"""

import errno
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from gunicorn.sock import ssl_context
from gunicorn.workers.gthread import TConn, ThreadWorker

from placet.kernel.bodies import CHUNK_TYPE
from placet.kernel.config import config
from placet.kernel.waiting import ASKED, POSSIBLE, WAITED
from placet.web.deferred import Deferred
from placet.web.heads import LINE, Heads
from placet.web.idle import Idle, Resting, has_come, origin
from placet.web.leaving import Leaving
from placet.web.patience import Patience, bound
from placet.web.queued import Queued
from placet.web.sending import Sending
from placet.web.slow_clients import SlowClients
from placet.web.tls import Wire
from placet.web.waiting_room import Held, WaitingRoom

# As much as any route takes: who sent it gets an answer, and not a connection that breaks.
MAX_UNREAD, SECONDS, PIECE = 64 << 20, 10.0, 1 << 16
GRACE = 1.0  # seconds in which clients of a process that ends may ask for the last time
CERTIFICATE = 1.0  # seconds until its files are read again
TLS_IN_A_ROW = 64  # connections of TLS that are taken in a row
PAUSE = 1.0  # seconds without a new connection, where there is no file for one
NO_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# of one connection, or of nobody's, as accept(2) has them
PASSING = {errno.EAGAIN, errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.ENOPROTOOPT}
PASSING |= {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENONET}
CUT = b"The body did not come to its end\n"
Begin = Callable[..., Any]
Application = Callable[..., Iterable[bytes]]
Last = Callable[[Any], bool | None]


class Worker(ThreadWorker):  # type: ignore[misc]
    """Serves Placet's pages and API."""

    def init_process(self) -> None:
        """Make what keeps connections without a thread: here, because each process has its own."""
        self.method_queue = Deferred()
        self.room, self.heads, self.leaving = WaitingRoom(self), Heads(self), Leaving(self)
        self.slow, self.queued, self.accept_from = SlowClients(self), Queued(self), 0.0
        self.ending, self.read_at = False, 0.0
        self.tls: ssl.SSLContext | None = None
        self.idle = Idle(self.worker_connections // 2)
        self.resting = Resting(self, self.cfg.keepalive)
        self.idle.kinds += (self.heads, self.leaving, self.resting)
        self.log.access = whole_time(self.log.access)
        self.cfg.set("limit_request_line", LINE)
        self.cfg.set("forwarder_headers", "")  # SCRIPT_NAME and PATH_INFO, of whoever is local:
        self.cfg.set("secure_scheme_headers", {})  # a proxy there hands on what its clients say
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Return its threads, all of them started: one that cannot be had later, for the limit of
        processes or of memory, would be missed by a request. Here the process ends and says so."""
        pool: ThreadPoolExecutor = super().get_thread_pool()
        begin = threading.Event()
        try:
            for _ in range(self.cfg.threads):
                pool.submit(begin.wait)
        finally:
            begin.set()
        return pool

    def load_wsgi(self) -> None:
        """Load the application; each of its answers waits for the end of the request."""
        super().load_wsgi()
        whole_requests = answers_after_the_body(self.wsgi, self.last)
        self.wsgi: Application = waits_for_news(whole_requests, self.room, self.last)

    def accept(self, listener: socket.socket) -> None:
        """Take who has come to the door: one, so that other processes have theirs. With TLS more:
        at the door all stand behind who came before, and inside clients take turns."""
        for _ in range(TLS_IN_A_ROW if self.cfg.is_ssl else 1):
            if self.nr_conns >= self.worker_connections or not self.accept_one(listener):
                return

    def accept_one(self, listener: socket.socket) -> bool:
        """Take a connection, and wait for its first request; tell whether there was one."""
        try:
            wire, address = listener.accept()
        except OSError as error:
            self.not_accepted(error)
            return False
        self.nr_conns += 1
        conn = TConn(self.cfg, wire, address, listener.getsockname())
        conn.origin, conn.held = origin(address), None
        try:
            if self.cfg.is_ssl:
                conn.sock = Wire(wire, self.certified())
            self.heads.take(conn)
        except Exception as error:
            self.log.warning("A connection cannot be begun: %s", error)
            self.heads.end(conn)
        return True

    def certified(self) -> ssl.SSLContext:
        """Return what connections begin TLS with. Its files are read anew after a second, so that
        a renewed certificate needs no restart; half of one leaves the one before."""
        if (now := time.monotonic()) >= self.read_at:
            self.read_at = now + CERTIFICATE
            try:
                self.tls = ssl_context(self.cfg)
            except OSError as error:
                self.log.error("The certificate cannot be read: %s", error)
        if self.tls is None:
            raise OSError("there is no certificate")
        return self.tls

    def not_accepted(self, error: OSError) -> None:
        """Go on after a connection that could not be taken. Where there is no file for it, one that
        holds no thread gives its own; where none does, it is waited for those that do."""
        if error.errno in NO_FILES:
            if not self.idle.end_one():
                self.log.warning("There is no file for another connection: %s", error)
                self.accept_from = time.monotonic() + PAUSE
                self.set_accept_enabled(False)
        elif error.errno not in PASSING:
            raise error

    def enqueue_req(self, conn: Any) -> None:
        """Have a request answered when it is its turn."""
        self.queued.add(conn)

    def begin(self, conn: Any) -> None:
        """Give a connection to a thread."""
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Answer the request that has waited on a connection, else the next one that comes."""
        held, conn.held = conn.held, None
        if held is None:
            return super().handle(conn)
        try:
            conn.sock.setblocking(True)
            held.request.held = held
            held.request._expected_100_continue = False  # its client was told when it came
            return self._keepalive_after(conn, self.handle_request(held.request, conn))
        except (OSError, StopIteration) as error:
            self.log.debug("Who waited has gone. %s", error)
        except Exception as error:
            self.handle_error(held.request, conn.sock, conn.client, error)
        return False

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request of HTTP/1, or return that it is to wait."""
        bound(req, conn.patience)
        req.response = None
        sock = Sending(conn.sock, self.slow, conn.origin, marked=req.version > (1, 0))
        try:
            keep = super().handle_request(
                req, SimpleNamespace(sock=sock, client=conn.client, server=conn.server)
            )
            sock.whole()
            if missing := sock.missing(req.response):
                self.log.error("Of an answer to %s %d bytes are missing", req.path, missing)
            return keep and not missing
        except Kept as kept:
            return kept.held
        finally:
            req.response = None  # it has the request

    def _keepalive_after(self, conn: Any, keepalive: Any) -> Any:
        if isinstance(keepalive, Held):
            return keepalive
        return super()._keepalive_after(conn, keepalive)

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        """Keep the connection, take the request that came with the last one, or end it."""
        self.queued.done(conn)
        try:
            self.room.answered(conn)
            self.go_on(conn, None if fs.cancelled() or fs.exception() else fs.result())
        except Exception:
            self.log.exception("A connection is given up")
            self.resting.end(conn)

    def go_on(self, conn: Any, result: Any) -> None:
        """Do with a connection what a thread has said of it."""
        if isinstance(result, Held):
            self.room.take(conn, result)
        elif not result:
            self.leaving.take(conn)
        elif buffered := conn.parser.unreader.take_buffered():
            self.heads.take(conn, buffered)
        else:
            self.resting.take(conn)

    def murder_keepalived(self) -> None:
        """Close kept connections that nobody uses, and answer those that waited long enough.

        Nobody uses one for ``keepalive`` seconds, or ``GRACE`` when this process ends; where half
        of the connections hold no thread, some go earlier (``placet.web.idle``).
        """
        self.room.answer_late()
        for kind in self.idle.kinds:
            kind.end_late()
        self.idle.bound()
        self.queued.refuse_surplus()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what comes, for a second at most: then it is looked again whose time is up."""
        super().wait_for_and_dispatch_events(min(timeout, 1.0 if self.alive else GRACE / 10))
        self.heads.shake_hands()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or not, and none any more when this process ends."""
        if enabled and time.monotonic() < self.accept_from:
            return
        super().set_accept_enabled(enabled)
        if not self.alive and not self.ending:
            self.ending = True
            self.end_soon()

    def end_soon(self) -> None:
        """Answer all that wait, take who has come to the door, and let each client ask once more:
        the answer tells it that the connection ends. It may have asked before it could know."""
        self.room.answer_all()
        self.queued.end()
        for kind in (self.heads, self.resting):
            kind.hurry(GRACE)
        for listener in self.sockets:
            while self.nr_conns < self.worker_connections and self.accept_one(listener):
                pass
            listener.close()  # who comes now asks another process, or is refused and knows

    def is_parent_alive(self) -> bool:
        """Tell whether there is one to be told by to stop; without it, do as if told to."""
        if not (lives := bool(super().is_parent_alive())):
            self.alive = False
        return lives

    def last(self, request: Any) -> bool | None:
        """Tell whether an answer is the last on its connection when this process ends, or its
        client keeps most connections where little room is left: the next request is not here, as
        it is where a client sends it ahead. ``None`` while it goes on."""
        if self.alive and self.idle.crowding != origin(request.peer_addr):
            return None
        reader = request.unreader
        is_last = not (reader.buf.getbuffer().nbytes or has_come(reader.sock))
        return is_last or (None if self.alive else False)


def whole_time(access: Callable[..., None]) -> Callable[..., None]:
    """Return what writes access logs, with the time that a request has waited in its time."""

    def write(resp: Any, req: Any, environ: dict[str, Any], took: timedelta) -> None:
        held: Held | None = getattr(req, "held", None)
        whole = took if held is None else timedelta(seconds=held.wait.waited)
        access(resp, req, environ, whole)

    return write


class Kept(Exception):
    """No answer is to be written now: the request waits."""

    def __init__(self, held: Held) -> None:
        super().__init__()
        self.held = held


def waits_for_news(application: Application, room: WaitingRoom, last: Last) -> Application:
    """Return the application, with requests kept that it wants to wait.

    Raises ``Kept`` for these. One that has waited in vain is not asked of the application again.
    """

    def call(environ: dict[str, Any], start_response: Begin) -> Iterable[bytes]:
        response = start_response.__self__  # type: ignore[attr-defined]
        response.req.response = response
        held: Held | None = getattr(response.req, "held", None)
        if held is not None and not held.news:
            if held.wait.log is not None:
                held.wait.log(held.wait.waited)
            say_whether_last(response, last)
            start_response(*held.answer)
            return held.body
        if held is not None:
            environ[WAITED] = held.wait
        else:
            environ[POSSIBLE] = not room.full
        chunks = application(environ, start_response)
        if (wait := environ.get(ASKED)) is None:
            return chunks
        body = whole(chunks)
        raise Kept(Held(response.req, wait, (response.status, response.headers), body))

    return call


def whole(answer: Iterable[bytes]) -> list[bytes]:
    """Return all of an answer, and close it: what it held, such as a database connection, goes."""
    try:
        return list(answer)
    finally:
        if close := getattr(answer, "close", None):
            close()


def say_whether_last(response: Any, last: Last) -> None:
    """Have an answer say whether it is the ``last`` of its connection, when this process ends."""
    if (is_last := last(response.req)) is not None:
        response.must_close = is_last  # gunicorn would end each connection with its answer


def answers_after_the_body(application: Application, last: Last = lambda _: None) -> Application:
    """Return the application with a request's body read before it begins (``read_ahead``), and what
    it leaves of one before it answers.

    Where that is too much, or does not come, the answer says that the connection ends, and so it
    does where it is the ``last``.
    """

    def call(environ: dict[str, Any], start_response: Begin) -> Iterable[bytes]:
        response, body = start_response.__self__, environ["wsgi.input"]  # type: ignore[attr-defined]

        def begin(*answer: Any) -> Any:
            if not read_to_its_end(body, response.req.patience):
                response.force_close()
            else:
                say_whether_last(response, last)
            write = start_response(*answer)
            if response.response_length is None:
                response.can_sendfile = lambda: False  # it ends an empty file twice
            return write

        if read_ahead(environ):
            return application(environ, begin)
        response.force_close()
        start_response("400 Bad Request", [("Content-Length", str(len(CUT)))])
        return [CUT]

    return call


def read_ahead(environ: dict[str, Any]) -> bool:
    """Read a body before the application does; tell whether all of it came.

    Half a body must never pass for a whole one. What is too large is refused by its length, and the
    chunk of an upload is read by what keeps it: it may be long, and goes on from where it was cut.
    """
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if environ.get("CONTENT_TYPE") == CHUNK_TYPE or length > config().max_body_bytes:
        return True
    came = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(came)
    return len(came) == length


def read_to_its_end(body: Any, patience: Patience) -> bool:
    """Read what is left of a request's body; tell whether its end came."""
    patience.until, left = time.monotonic() + SECONDS, MAX_UNREAD
    try:
        while left > 0 and time.monotonic() < patience.until:
            piece = body.read(min(left, PIECE))
            if not piece:
                return patience.left > 0
            left -= len(piece)
    except Exception:  # gunicorn has its own errors for bodies that break the protocol
        return False
    return False
