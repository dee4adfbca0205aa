"""A stand-in for ``bentoml serve``: what the tests' Bentos hold. Standard library only."""

import json
import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = Path(__file__).with_name("name.txt").read_text()
BEGAN = time.monotonic()
LAST: dict[str, object] = {}  # what was posted


class Handler(BaseHTTPRequestHandler):
    """Answers with the name of its Bento, after ``?ms=`` milliseconds."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False  # a Unix socket has none
    wbufsize = -1

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def answer(self, status: int, value: object) -> None:
        """Send JSON."""
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Placet-Revision", os.environ["PLACET_REVISION"])
        self.end_headers()
        self.wfile.write(body)

    def trickle(self) -> None:
        """Send a body of a byte each second, until nobody takes it."""
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while self.wfile.write(b"x"):
            time.sleep(1)

    def do_GET(self) -> None:
        """Readiness, what can be seen from here, or the name."""
        if self.path not in ("/readyz", "/livez"):
            time.sleep(float(os.environ.get("ANSWER_AFTER", "0")))
            if "TRICKLE" in os.environ:
                return self.trickle()
        if self.path == "/readyz":
            ready = time.monotonic() - BEGAN >= float(os.environ.get("READY_AFTER", "0"))
            return self.answer(200 if ready else 503, {})
        if self.path == "/last":
            return self.answer(200, LAST)
        if self.path == "/inside":
            return self.answer(200, inside())
        if self.path.startswith("/reach?"):
            return self.answer(200, reach(self.path.partition("?")[2]))
        if self.path.startswith("/file?"):
            return self.answer(200, readable(self.path.partition("?")[2]))
        if self.path == "/secrets":
            return self.answer(200, secrets())
        if "ms=" in self.path:
            time.sleep(int(self.path.rpartition("=")[2]) / 1000)
        status = int(self.path.rpartition("/status/")[2] or 200) if "/status/" in self.path else 200
        return self.answer(status, {"name": NAME, "path": self.path})

    def do_POST(self) -> None:
        """Echo the size of the body."""
        body, headers = self.rfile.read(int(self.headers["Content-Length"])), dict(self.headers)
        LAST.update(path=self.path, body=body.hex(), headers=headers)
        self.answer(200, {"name": NAME, "size": len(body), "headers": headers})


def inside() -> dict[str, object]:
    """Tell what a replica sees of its host."""
    return {
        "uid": os.getuid(),
        "environment": dict(os.environ),
        "processes": [path.name for path in Path("/proc").iterdir() if path.name.isdigit()],
        "root": sorted(path.name for path in Path("/").iterdir()),
        "can_write_bento": os.access(__file__, os.W_OK),
    }


def secrets() -> dict[str, dict[str, object]]:
    """Tell what a replica finds of its secrets: the text, and who may do what with the file."""
    folder = Path(os.environ["PLACET_SECRETS"])
    return {
        path.name: {
            "text": path.read_bytes().decode(),
            "mode": oct(path.stat().st_mode & 0o777),
            "can_write": os.access(path, os.W_OK) or os.access(folder, os.W_OK),
        }
        for path in folder.iterdir()
    }


def reach(place: str) -> str:
    """Connect to ``host:port`` and say what it says, or why that does not work."""
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            return connection.recv(100).decode() or "closed"
    except OSError as error:
        return type(error).__name__


def readable(path: str) -> bool:
    """Tell whether a file of the host can be read from here."""
    try:
        Path(path).read_bytes()
    except OSError:
        return False
    return True


class Server(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 256
    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """A Unix socket knows no address of who calls."""
        return self.socket.accept()[0], ("caller", 0)


def serve(door: str) -> None:
    """Answer on the socket that was handed over, ``fd:7``, or on a port of the loopback."""
    kind, _, number = door.rpartition(":")
    if kind != "fd":
        return Server(("127.0.0.1", int(number)), Handler).serve_forever()
    server = Server(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=int(number))
    return server.serve_forever()


if __name__ == "__main__":
    if Path(__file__).with_name("needs-port.txt").exists() and sys.argv[1].startswith("fd:"):
        sys.exit(78)  # as the launcher of real Bentos does
    if os.environ.get("CRASH"):
        print("no such column: age", flush=True)
        sys.exit(3)
    if os.environ.get("EAT_MB"):
        eaten = bytearray(int(os.environ["EAT_MB"]) << 20)
    time.sleep(float(os.environ.get("BIND_AFTER", "0")))
    serve(sys.argv[1])
