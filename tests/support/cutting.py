"""A server of one file that ends connections in the middle of it, as one that is started anew."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Cutting(ThreadingHTTPServer):
    """Gives ``body`` whatever is asked, but of its answers only so many bytes each; after those in
    ``cuts`` all of it. One below 0 is the status that a proxy gives while it starts. ``ranges``:
    whether it gives the rest of it where that is asked."""

    daemon_threads = True

    def __init__(self, body: bytes, *cuts: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body, self.cuts, self.ranges, self.tag = body, list(cuts), True, '"1"'
        self.asked: list[tuple[str | None, str | None]] = []  # Range and If-Range

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Cutting

    def do_GET(self) -> None:
        """Give a part of the file."""
        told = self.server
        asked, known = self.headers.get("Range"), self.headers.get("If-Range")
        told.asked.append((asked, known))
        if told.cuts and told.cuts[0] < 0:
            self.send_error(-told.cuts.pop(0))
            return
        begun = re.fullmatch(r"bytes=(\d+)-", asked or "")
        rest = begun and told.ranges and known in (None, told.tag)
        start = int(begun[1]) if begun and rest else 0
        body = told.body[start:]
        self.send_response(206 if rest else 200)
        self.send_header("ETag", told.tag)
        self.send_header("Content-Length", str(len(body)))
        if rest:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(told.body) - 1}/{len(told.body)}"
            )
        self.end_headers()
        self.wfile.write(body[: told.cuts.pop(0)] if told.cuts else body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def cutting(body: bytes, *cuts: int) -> Iterator[Cutting]:
    """Serve ``body``."""
    with Cutting(body, *cuts) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
