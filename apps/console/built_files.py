"""What ``bin/site`` made and Placet serves: the guides, and the wheels of agent and client."""

import re
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response

GUIDES: Path = settings.SITE / "docs"
WHEELS: Path = settings.SITE / "wheels"
# no part of a path begins with a dot, so none leads up, and none is empty, so none leads away
NAME = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".zip": "application/zip",
}


def content(folder: Path, name: str) -> bytes:
    """Return the file ``name`` below ``folder``; what is not there or is a link is a 404."""
    if len(name) > 250 or not NAME.fullmatch(name):
        raise Http404
    path = folder / name
    if path.resolve() != folder.resolve() / name or not path.is_file():
        raise Http404
    return path.read_bytes()


def answer(request: HttpRequest, name: str, body: bytes) -> HttpResponseBase:
    """Answer with a file's bytes, or that what the browser has of it is still the same."""
    tag = f'"{sha256(body).hexdigest()}"'
    kind = TYPES.get(Path(name).suffix, "application/octet-stream")
    response = HttpResponse(body, content_type=kind, headers={"Cache-Control": "no-cache"})
    response["ETag"] = tag
    return get_conditional_response(request, etag=tag, response=response) or response
