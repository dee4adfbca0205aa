"""An application whose answers break off, or are not what their heads say."""

import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PIECE, PROMISED = b"a line\n", 20


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer without a length, but for what promises more than comes."""
    _, path, *how = environ["PATH_INFO"].split("/")
    length = [("Content-Length", str(PROMISED))] if "short" in how else []
    start_response("200 OK", length)
    if path == "file":
        wrap: Callable[[Any], Iterable[bytes]] = environ["wsgi.file_wrapper"]
        return wrap(file(b"" if "empty" in how else PIECE, real="real" in how))
    return pieces(path)


def file(said: bytes, *, real: bool) -> Any:
    """Return an open file, with a descriptor where it is real."""
    made: Any = tempfile.TemporaryFile() if real else io.BytesIO()  # noqa: SIM115  (gunicorn does)
    made.write(said)
    made.seek(0)
    return made


def pieces(path: str) -> Iterator[bytes]:
    """Yield one, and do what the path says."""
    yield PIECE
    if path == "value":
        raise ValueError("it breaks off")
    if path == "os":
        raise OSError(5, os.strerror(5))
    if path == "endless":
        threading.Event().wait()
