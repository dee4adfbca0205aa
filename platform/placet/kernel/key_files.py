"""Files of the folder of keys: written whole or not at all, by one process at a time."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the folder."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def give_like(path: Path, before: os.stat_result) -> None:
    """Give the successor of a key file to whom the file before it was given."""
    os.chown(path, before.st_uid if os.geteuid() == 0 else -1, before.st_gid)
    path.chmod(stat.S_IMODE(before.st_mode))
