"""What replicas print: each one's in a file that it may do with what it likes."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

LOG_BYTES = 4 << 20
TAIL_BYTES = 3000


def tail(path: Path) -> str:
    """Return the end of an output."""
    try:
        with _open(path) as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
            return stream.read(TAIL_BYTES).decode(errors="replace").strip()
    except OSError:
        return "no output"


def _open(path: Path, flags: int = os.O_RDONLY) -> BinaryIO:
    """Open the output of a replica, without waiting: it may hold a lease on it, or have shut it."""
    flags |= os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except PermissionError:
        path.chmod(0o644)
        handle = os.open(path, flags)
    return os.fdopen(handle, "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "r+b")


def trim(path: Path) -> None:
    """Keep the newest part of an output that grew too large, in place: it stays open."""
    with _open(path, os.O_RDWR) as stream:
        size = os.fstat(stream.fileno()).st_size  # a replica may change it at any moment
        if size > LOG_BYTES:
            stream.seek(size - LOG_BYTES // 4)
            kept = stream.read(LOG_BYTES // 4)
            stream.truncate(0)  # first: it may be what fills the disk
            path.with_suffix(".log.1").write_bytes(kept)


def drop_old(folder: Path, alive: Collection[Path], keep: int) -> None:
    """Remove the logs of what is gone, but for the newest."""
    old = [path for path in folder.glob("*.log") if path not in alive]
    for path in sorted(old, key=lambda p: p.stat().st_mtime)[:-keep]:
        path.unlink(missing_ok=True)
        path.with_suffix(".log.1").unlink(missing_ok=True)
