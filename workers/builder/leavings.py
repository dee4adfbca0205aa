"""Looking at what a sandboxed program left behind, which may be links to anywhere."""

import os
import stat
from pathlib import Path


def read_plain(path: Path, limit: int) -> bytes:
    """Read a file that a sandboxed program left: no link, no device, not too large.

    Raises ``OSError`` for anything else.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
            raise OSError(f"{path.name} is no plain file or is too large")
        return stream.read(limit)


def is_inside(path: Path, root: Path) -> bool:
    """Tell whether ``path`` really lies at its place under ``root``, with no link on the way."""
    return path.resolve() == root.resolve() / path.relative_to(root)
