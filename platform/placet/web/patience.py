"""How long a thread waits for what a client is still to send, and how much it gathers meanwhile."""

import contextlib
import io
import time
from functools import partial
from typing import Any

from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import InvalidChunkExtension, NoMoreData

from placet.web.slow_clients import LOOK, Waited

PIECE = 1 << 13
MAX_LINE = 16 << 10  # of a size between chunks, and of all that follows the last


class Patience(Waited):
    """Reads from a socket until it has waited for too long; then it is as if the client had ended.

    Where too many threads wait for clients, that is earlier.
    """

    def renew(self) -> None:
        """Begin anew, with what comes next over the connection."""
        super().renew()
        self.until = float("inf")  # not past this, whatever comes

    def chunk(self) -> bytes:
        """Return what came, as gunicorn's reader of a socket does."""
        self._slow.begin(self)
        try:
            while (piece := self._look()) is None:
                if self._slow.excess(self):
                    self.left = 0.0
            return piece
        finally:
            self._slow.end(self)
            self._sock.settimeout(None)

    def _look(self) -> bytes | None:
        """Return what comes within ``LOOK`` seconds, nothing at the end of the client or of its
        time, and ``None`` where it is still waited."""
        begun = time.monotonic()
        self.left = min(self.left, self.until - begun)
        if self.left <= 0:
            return b""
        self._sock.settimeout(min(LOOK, self.left))
        piece: bytes | None = None
        with contextlib.suppress(TimeoutError):
            piece = self._sock.recv(PIECE)
        self.count(time.monotonic() - begun, len(piece or b""))
        return piece


def bound(request: Any, patience: Patience) -> None:
    """Have the body of a request of gunicorn come in time, and no line of it without end."""
    patience.renew()
    request.patience = patience
    if isinstance(reader := request.body.reader, ChunkedReader):
        reader.get_data = short
        reader.parse_chunk_size = partial(size_line, reader.parse_chunk_size)


def short(unreader: Any, buf: Any) -> None:
    """Read on in a line between chunks, or what follows the last; gunicorn gathers it whole."""
    data = unreader.read() if buf.tell() <= MAX_LINE else b""
    if not data:
        raise NoMoreData
    buf.write(data)


def size_line(parse: Any, unreader: Any, data: bytes | None = None) -> Any:
    """Parse the line of a size between chunks, which only CR and LF together end: what stands
    between us and the client may take a LF alone for the end, and what follows for a chunk."""
    buf = io.BytesIO()
    buf.write(data or b"")
    while (end := buf.getvalue().find(b"\r\n")) < 0:
        short(unreader, buf)
    if b"\n" in buf.getvalue()[:end]:
        raise InvalidChunkExtension("bare LF not allowed")
    return parse(unreader, buf.getvalue())
