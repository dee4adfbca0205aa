"""A real HTTP server that speaks S3 (moto's), on loopback, whose bad days a test can arrange."""

import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placet.kernel.artifacts import BucketAddress

NAME = "artifacts"
# what the SDK looks for in the environment; no such account exists anywhere
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test-access-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret-key",
    "AWS_EC2_METADATA_DISABLED": "true",
}
CONNECT = "import socket, sys; print(socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5))"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class S3:
    """The running server. ``fault`` sees each request first and may answer in its place.
    ``connections`` has what became of each: a test that fails prints it."""

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list, repr=False)
    connections: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    fault: Callable[[dict[str, Any]], tuple[str, bytes] | None] = lambda environ: None

    def address(self, prefix: str = "", bucket: str = NAME) -> BucketAddress:
        """Return how the platform is told where its artifacts lie."""
        return BucketAddress(bucket, prefix, self.url, "us-east-1")

    def standing(self) -> str:
        """Return what became of its connections, what the kernel has at its port (of one that
        listens, how many wait in its queue), what it dropped until now and after another process
        has tried to connect, how that went, and where each thread of this process stands."""
        port = self.url.rpartition(":")[2]
        rows = Path("/proc/net/tcp").read_text().splitlines()
        sockets = [row for row in rows if f":{int(port):04X} " in row]
        stacks = ["".join(traceback.format_stack(f)[-6:]) for f in sys._current_frames().values()]
        counted = Path("/proc/net/netstat").read_text()
        words = (sys.executable, "-Ic", CONNECT, port)
        tried = subprocess.run(words, capture_output=True, text=True, timeout=60)
        said = (counted, tried.stdout, tried.stderr, Path("/proc/net/netstat").read_text())
        return "\n".join((*self.connections, *sockets, *said, *stacks))

    def forget(self) -> None:
        """End every arranged fault and forget what was asked."""
        self.fault = lambda environ: None
        self.requests.clear()
        self.headers.clear()


def wrapped(application: Application, found: S3) -> Application:
    """Return ``application`` with the arranged faults before it."""

    def serve(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        found.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        found.headers.append({k: v for k, v in environ.items() if k.startswith("HTTP_")})
        answer = found.fault(environ)
        if answer is None:
            return application(environ, start)
        status, body = answer
        start(status, [("Content-Length", str(len(body))), ("Content-Type", "application/xml")])
        return [body]

    return serve


@contextmanager
def s3() -> Iterator[S3]:
    """Run the server with one empty bucket until the end of the block."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    def note(address: Any, *what: Any) -> None:
        found.connections.append(f"{time.monotonic():.2f} {address} {what}")

    class Noting(MotoRequestHandler):
        def log(self, *args: Any, **options: Any) -> None:
            note(self.client_address, *args)

        def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
            note(self.client_address, repr(error))

    def accepted(request: Any, address: Any) -> bool:
        note(address, "accepted", request.fileno(), request.gettimeout())
        return True

    found = S3("")
    application = wrapped(DomainDispatcherApplication(create_backend_app), found)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Noting)
    server.verify_request = accepted  # type: ignore[method-assign]
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def error(code: str, status: str) -> tuple[str, bytes]:
    """Return a refusal as S3 words it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    return status, body.encode()
