"""Files over HTTP, of which a download goes on where it was cut (RFC 9110, 13.1.5 and 14)."""

import os
import re
from io import BufferedReader
from typing import Any

from django.http import FileResponse, HttpRequest

from placet.kernel.problems import NoSuchRange

_REST = re.compile(r"bytes=([0-9]{1,15})-")


def file_response(
    request: HttpRequest, stream: BufferedReader, *, tag: str, **more: Any
) -> FileResponse:
    """Answer with a file whose bytes have the strong ETag ``tag``, or with the rest of it.

    ``Range: bytes=1000-`` asks for the rest; every other range, and one whose ``If-Range`` is of
    other bytes, is answered with the whole file. Raises ``NoSuchRange`` past its end.
    """
    start = size = 0
    if stream.seekable():
        size, start = stream.seek(0, os.SEEK_END), _start(request, tag)
        if start and start >= size:
            stream.close()
            raise NoSuchRange(f"The file has {size} bytes")
        stream.seek(start)
        more["headers"] = more.get("headers", {}) | {"Accept-Ranges": "bytes"}
    response = FileResponse(stream, status=206 if start else 200, **more)
    response["ETag"] = tag
    if start:
        response["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return response


def _start(request: HttpRequest, tag: str) -> int:
    """Return the first byte that is asked for."""
    match = _REST.fullmatch(request.headers.get("Range", ""))
    if match is None or request.method != "GET" or request.headers.get("If-Range", tag) != tag:
        return 0
    return int(match[1])
