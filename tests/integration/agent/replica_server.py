"""A stand-in for ``bentoml serve``: what the tests' Bentos hold. Standard library only."""

import json
import os
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
    disable_nagle_algorithm = True
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

    def do_GET(self) -> None:
        """Readiness, what can be seen from here, or the name."""
        if self.path not in ("/readyz", "/livez"):
            time.sleep(float(os.environ.get("ANSWER_AFTER", "0")))
        if self.path == "/readyz":
            ready = time.monotonic() - BEGAN >= float(os.environ.get("READY_AFTER", "0"))
            return self.answer(200 if ready else 503, {})
        if self.path == "/last":
            return self.answer(200, LAST)
        if self.path == "/inside":
            return self.answer(200, inside())
        if self.path.startswith("/file?"):
            return self.answer(200, readable(self.path.partition("?")[2]))
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


if __name__ == "__main__":
    if os.environ.get("CRASH"):
        print("no such column: age", flush=True)
        sys.exit(3)
    if os.environ.get("EAT_MB"):
        eaten = bytearray(int(os.environ["EAT_MB"]) << 20)
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
