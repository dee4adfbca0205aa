"""Bodies of any length, which go on where they broke off."""

from collections.abc import Callable
from typing import IO

from placet_client.errors import PlacetError, Unreachable
from placet_client.transport import ATTEMPTS, Json, Transport, pause

STARTING = (502, 503, 504)  # as a proxy says of a platform that is started anew


def fetch(
    http: Transport,
    path: str,
    params: Json | None,
    out: IO[bytes],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the body at ``path`` to ``out``.

    One that breaks off goes on from there (RFC 9110, 14) while the server says, by a strong ETag,
    that its bytes are the same; else it begins anew. ``Unreachable`` after some attempts in a row
    that brought nothing more, or where there is no such ETag.
    """
    tag, tries = "", 0
    while True:
        start = out.tell()
        try:
            with http.stream(path, params, _rest(start, tag)) as response:
                tag = response.headers.get("ETag", "")
                begun = _continue_or_restart(out, start, response.headers.get("Content-Range", ""))
                size = begun + int(response.headers.get("Content-Length", 0))
                for piece in response.iter_bytes():
                    out.write(piece)
                    if progress:
                        progress(out.tell(), size)
            return
        except PlacetError as error:
            if not isinstance(error, Unreachable) and error.status not in STARTING:
                raise
            tries = 0 if out.tell() > start > 0 else tries + 1
            if tries == ATTEMPTS or not tag.startswith('"'):
                raise
            http.wait(pause(tries))


def _rest(start: int, tag: str) -> dict[str, str]:
    """Return the headers that ask for a body from a byte on; a packed one has other bytes."""
    asked = {"Range": f"bytes={start}-", "If-Range": tag} if start else {}
    return {"Accept-Encoding": "identity", **asked}


def _continue_or_restart(out: IO[bytes], start: int, given: str) -> int:
    """Return where what comes belongs: behind what is there, or at the beginning."""
    if not given.startswith(f"bytes {start}-"):
        out.seek(0)
        out.truncate()
    return out.tell()
