"""What views and the server must agree on about bodies."""

import re

from placet.kernel.config import config

# Of an upload's chunk: it may be as long as a file, and goes on from where it was cut. No other
# body counts before all of it came, a form with files once it is known who sends it.
CHUNK_TYPE = "application/offset+octet-stream"
FORM_TYPE = "multipart/form-data"
WITH_FILES = 11_000_000  # bytes of a form with a comment and its files
_TAKES_FILES = re.compile(
    r"/discussions/[^/]+/[^/]+/open|/threads/[^/]+/reply"
    r"|/api/v1/(discussions/[^/]+/[^/]+/threads|threads/[^/]+/comments)"
)


def too_long(path: str, kind: str) -> str:
    """Return what to do about a body that is longer than :func:`most_bytes`."""
    most = most_bytes(path, kind)
    if most < WITH_FILES:
        return f"The body may have at most {most} bytes"
    return (
        f"A comment and its files may have at most {most:,} bytes: go back, choose fewer or smaller"
        " files, and send the others with another comment"
    )


def most_bytes(path: str, kind: str) -> int:
    """Return how many bytes a body of this content type may have at this path."""
    usual = config().max_body_bytes
    if kind.startswith(FORM_TYPE) and _TAKES_FILES.fullmatch(path):
        return max(usual, WITH_FILES)
    return usual
