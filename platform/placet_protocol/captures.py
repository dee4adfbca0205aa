"""How captured predictions come from a node: whole lines of a file, from a byte on."""

import re
from typing import Any, Final, TypedDict

from placet_protocol.fields import whole

CAPTURE_BYTES: Final = 1 << 20  # of lines, in one request, before compression
OTHER_OFFSET: Final = "other_offset"  # the code of the answer to bytes that do not follow
FILE: Final = re.compile(r"[0-9a-f]{32}-[0-9]{6}\.jsonl")


class CaptureReply(TypedDict):
    """Up to which byte the platform has the file; so says the refusal ``other_offset`` too."""

    v: int
    offset: int


def capture_path(revision: str, file: str, offset: int) -> str:
    """Return path and query, below ``PREFIX``, of a request that brings lines."""
    return f"captures?revision={revision}&file={file}&offset={offset}"


def read_offset(data: Any) -> int:
    """Return up to which byte the platform has the file; raise ``ProtocolError`` without one."""
    return whole(data, "offset", 0, 1 << 62)
