"""A real HTTP server that speaks S3 (moto's), on loopback, whose bad days a test can arrange.

It runs in a process of its own: tests of one worker fork, take every descriptor and hold the
interpreter for seconds, and a server in that process would have to live with all of it.
"""

import os
import pickle
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from placet.kernel.artifacts import BucketAddress

NAME = "artifacts"
# what the SDK looks for in the environment; no such account exists anywhere
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test-access-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret-key",
    "AWS_EC2_METADATA_DISABLED": "true",
}
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Fault:
    """What the server answers in place of S3, to which requests and how often."""

    status: str
    body: bytes = b""
    method: str = ""  # every one
    but: str = ""  # spared where the query says this
    times: int = -1  # for good
    cut: bool = False  # the connection ends in the middle of the request

    def meets(self, environ: dict[str, Any]) -> bool:
        """Return whether this request is answered so."""
        spared = bool(self.but) and self.but in environ["QUERY_STRING"]
        return bool(self.times) and self.method in ("", environ["REQUEST_METHOD"]) and not spared


@dataclass(frozen=True)
class S3:
    """The running server, as a test speaks to it."""

    url: str
    server: "subprocess.Popen[bytes]" = field(repr=False)

    def address(self, prefix: str = "", bucket: str = NAME) -> BucketAddress:
        """Return how the platform is told where its artifacts lie."""
        return BucketAddress(bucket, prefix, self.url, "us-east-1")

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of each request since the last ``forget``."""
        return [(found["REQUEST_METHOD"], found["PATH_INFO"]) for found in self._ask("asked")]

    @property
    def headers(self) -> list[dict[str, str]]:
        """What WSGI's environment has of the same requests, their headers among it."""
        return list(self._ask("asked"))

    def fail(self, fault: Fault) -> None:
        """Have the server answer ``fault`` from now on, in place of any before."""
        self._ask("fail", fault)

    def forget(self) -> None:
        """End an arranged fault and forget what was asked."""
        self._ask("forget")

    def standing(self) -> str:
        """Return what became of its last connections, and what the kernel has at its port."""
        port = f":{int(self.url.rpartition(':')[2]):04X} "
        rows = Path("/proc/net/tcp").read_text().splitlines()
        sockets = [row for row in rows if port in row]
        counted = Path("/proc/net/netstat").read_text()
        return "\n".join((*self._ask("connections"), *sockets, counted))

    def _ask(self, *words: Any) -> Any:
        assert self.server.stdin and self.server.stdout
        pickle.dump(words, self.server.stdin)
        self.server.stdin.flush()
        return pickle.load(self.server.stdout)


@contextmanager
def s3() -> Iterator[S3]:
    """Run the server, without a bucket, until the end of the block."""
    words = (sys.executable, "-m", __name__)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, env=environment) as server:
        assert server.stdin and server.stdout
        try:
            yield S3(pickle.load(server.stdout), server)
        finally:
            server.stdin.close()  # which ends it, also when this process is killed


def error(code: str, status: str) -> Fault:
    """Return a refusal as S3 words it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    return Fault(status, body.encode())


class Server:
    """The server in its own process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._fault = Fault("200 OK", times=0)
        self._asked: list[dict[str, str]] = []
        self._connections: deque[str] = deque(maxlen=40)

    def asked(self) -> list[dict[str, str]]:
        return self._asked

    def fail(self, fault: Fault) -> None:
        self._fault = fault

    def forget(self) -> None:
        self._fault, self._asked = Fault("200 OK", times=0), []

    def connections(self) -> list[str]:
        return list(self._connections)

    def note(self, address: Any, *what: Any) -> None:
        """Keep what became of a connection."""
        self._connections.append(f"{time.monotonic():.2f} {address} {what}")

    def before(self, application: Application) -> Application:
        """Return ``application`` with the arranged fault before it."""

        def serve(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            with self._lock:
                self._asked.append({k: v for k, v in environ.items() if isinstance(v, str)})
                fault, met = self._fault, self._fault.meets(environ)
                if met:
                    self._fault = replace(fault, times=max(fault.times - 1, -1))
            if not met:
                return application(environ, start)
            if fault.cut:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            length = str(len(fault.body))
            start(fault.status, [("Content-Length", length), ("Content-Type", "application/xml")])
            return [fault.body]

        return serve

    def run(self) -> None:
        """Serve, say where, and do what is asked over standard input until it ends."""
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server

        note = self.note

        class Noting(MotoRequestHandler):
            def log(self, *args: Any, **options: Any) -> None:
                note(self.client_address, *args)

            def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
                note(self.client_address, repr(error))

        application = self.before(DomainDispatcherApplication(create_backend_app))
        served = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Noting)
        Thread(target=served.serve_forever, daemon=True).start()
        answer: Any = f"http://127.0.0.1:{served.server_port}"
        while True:
            pickle.dump(answer, sys.stdout.buffer)
            sys.stdout.flush()
            try:
                name, *values = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            answer = getattr(self, name)(*values)


if __name__ == "__main__":
    Server().run()
