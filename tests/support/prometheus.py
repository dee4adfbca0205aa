"""A real Prometheus for tests, and the HTTP server that it reads, or that stands in its place."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".boot" / "prometheus" / "usr" / "bin" / "prometheus"


@dataclass(slots=True)
class Server:
    """An HTTP server that answers whatever it is told to, and keeps what it was asked."""

    status: int = 200
    body: bytes = b""
    asked: list[tuple[dict[str, str], str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving() -> Iterator[Server]:
    """Have a server on loopback for a while."""
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            told.asked.append((dict(self.headers), self.rfile.read(length).decode()))
            self.send_response(told.status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield told
    http.shutdown()
    http.server_close()


@contextmanager
def reading(server: Server, folder: Path) -> Iterator[str]:
    """Have a Prometheus, at the URL returned, that reads ``server`` every second."""
    if not PROGRAM.exists():
        pytest.fail("There is no Prometheus to test with: `make test`, or `bin/system prometheus`")
    target = server.url.removeprefix("http://")
    settings = {
        "scrape_configs": [
            {"job_name": "shop", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
        ]
    }
    (folder / "prometheus.yml").write_text(json.dumps(settings))  # JSON is YAML
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = subprocess.Popen(
        [
            PROGRAM,
            f"--config.file={folder / 'prometheus.yml'}",
            "--log.level=error",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
        ]
    )
    try:
        yield f"http://{address}/"
    finally:
        process.terminate()
        process.wait(20)
