"""What streams of the log go to: an HTTPS server, and a syslog server that takes RFC 5424 alone."""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.support.certificates import Authority

OK = (200, {}, b"")
Reply = tuple[int, dict[str, str], bytes]


@dataclass(slots=True)
class Receiver:
    """Takes what is posted. ``replies`` are given one after the other, then 200; ``largest`` is
    the most bytes of a body that it takes; while ``stuck`` it answers nothing."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)  # with their queries
    headers: list[dict[str, str]] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    always: Reply = OK
    largest: int = 10**9
    stuck: bool = False
    go_on: Event = field(default_factory=Event)

    def take(self, headers: dict[str, str], body: bytes) -> Reply:
        """Keep a body that is accepted, and say so."""
        if self.stuck:
            self.go_on.wait(30)
        reply = self.replies.pop(0) if self.replies else self.always
        if len(body) > self.largest:
            reply = (413, {}, b"too large")
        self.headers.append(headers)
        if reply[0] < 300:
            self.bodies.append(body)
        return reply

    def lines(self) -> list[bytes]:
        """Return every line that was accepted."""
        return [line for body in self.bodies for line in body.splitlines(keepends=True)]


@contextmanager
def https(
    authority: Authority | None, *hosts: str, clients: Path | None = None
) -> Iterator[Receiver]:
    """Have a receiver on loopback: over TLS with a certificate of ``authority`` for ``hosts``, else
    plain.

    With ``clients`` it wants a certificate that this file vouches for.
    """
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.paths.append(self.path)
            status, headers, answer = told.take(dict(self.headers), body)
            with contextlib.suppress(OSError):  # whoever asked may be gone
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a handshake that somebody broke off

    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if authority is not None:
        context = server_side(authority, clients, *hosts)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    told.url = f"{scheme}://localhost:{server.server_address[1]}/in"
    if authority is None:
        told.url = told.url.replace("localhost", "127.0.0.1")
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield told
    told.go_on.set()
    server.shutdown()
    server.server_close()


def server_side(authority: Authority, clients: Path | None = None, *hosts: str) -> ssl.SSLContext:
    """Return the TLS settings of a server of ``authority``."""
    chain, key, _ = authority.issue("receiver", *hosts)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context


@dataclass(slots=True)
class Dripping:
    """Takes connections, and comes to the end of what it says on them a minute later."""

    port: int
    reached: int = 0
    over: Event = field(default_factory=Event)


@contextmanager
def dripping(begins: bytes) -> Iterator[Dripping]:
    """Have a receiver on loopback that says ``begins``, then a byte every twentieth of a second."""
    listening = socket.create_server(("127.0.0.1", 0))
    told = Dripping(listening.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                wire, _ = listening.accept()
            except OSError:
                return
            Thread(target=drip, args=(wire,), daemon=True).start()

    def drip(wire: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(wire):
            wire.recv(65536)
            told.reached += 1
            wire.sendall(begins)
            for _ in range(1200):
                if told.over.wait(0.05):
                    return
                wire.sendall(b"0")

    Thread(target=serve, daemon=True).start()
    try:
        yield told
    finally:
        told.over.set()
        listening.close()


MESSAGE = re.compile(
    r"<(?P<pri>0|[1-9][0-9]{0,2})>1 "
    r"(?P<time>-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<process>[!-~]{1,128}) "
    r"(?P<id>[!-~]{1,32}) "
    r'(?P<data>-|(\[[^\s="\]]{1,32}( [^\s="\]]{1,32}="([^"\\\]]|\\["\\\]])*")*\])+)'
    r"( (?P<text>\ufeff?.*))?",
    re.DOTALL,
)
PARAMETER = re.compile(r' ([^\s="\]]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"')


@dataclass(frozen=True, slots=True)
class Message:
    """A syslog message, taken apart."""

    facility: int
    severity: int
    time: str
    host: str
    app: str
    id: str
    data: dict[str, str]
    text: str | None


def parse(message: bytes) -> Message:
    """Take an RFC 5424 message apart; anything else is a ``ValueError``."""
    found = MESSAGE.fullmatch(message.decode("utf-8"))
    if found is None or int(found["pri"]) > 191:
        raise ValueError(f"not RFC 5424: {message[:200]!r}")
    text = found["text"]
    if text is not None and not text.isascii() and not text.startswith("\ufeff"):
        raise ValueError("UTF-8 without the mark that RFC 5424 wants")
    data = {
        name: re.sub(r"\\(.)", r"\1", value) for name, value in PARAMETER.findall(found["data"])
    }
    pri = int(found["pri"])
    return Message(
        pri // 8,
        pri % 8,
        found["time"],
        found["host"],
        found["app"],
        found["id"],
        data,
        None if text is None else text.removeprefix("\ufeff"),
    )


def frames(stream: bytes) -> list[bytes]:
    """Return the messages of an octet-counted stream (RFC 5425); a torn one is a ``ValueError``."""
    found = []
    while stream:
        match = re.match(rb"([1-9][0-9]*) ", stream)
        if match is None:
            raise ValueError(f"no length before {stream[:40]!r}")
        end = match.end() + int(match[1])
        if len(stream) < end:
            raise ValueError("the last message is cut")
        found.append(stream[match.end() : end])
        stream = stream[end:]
    return found


@dataclass(slots=True)
class Syslog:
    """A syslog server. It drops the connection after ``drop_after`` bytes when that is set, and
    says ``close_notify`` before it does when it is ``polite``."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    drop_after: int = 0
    polite: bool = False


@contextmanager
def syslog(authority: Authority | None, *, clients: Path | None = None) -> Iterator[Syslog]:
    """Have a syslog server on loopback, over TLS with a certificate of ``authority``."""
    told = Syslog()
    context = server_side(authority, clients) if authority else None
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    told.url = f"tls://localhost:{port}" if context else f"tcp://127.0.0.1:{port}"

    def serve() -> None:
        while True:
            try:
                wire, _ = listening.accept()
            except OSError:
                return
            Thread(target=take, args=(wire,), daemon=True).start()

    def take(wire: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(wire):
            wire.settimeout(20)
            taking = context.wrap_socket(wire, server_side=True) if context else wire
            stream = b""
            while piece := taking.recv(65536):
                stream += piece
                if told.drop_after and len(stream) >= told.drop_after:
                    if told.polite and isinstance(taking, ssl.SSLSocket):
                        taking.settimeout(0)
                        with contextlib.suppress(OSError):
                            taking.unwrap()
                    taking.close()
                    return
            try:
                told.messages += [parse(frame) for frame in frames(stream)]
            except ValueError as fault:
                told.faults.append(str(fault))
            if isinstance(taking, ssl.SSLSocket):
                taking.unwrap()
            taking.close()

    Thread(target=serve, daemon=True).start()
    yield told
    listening.close()
