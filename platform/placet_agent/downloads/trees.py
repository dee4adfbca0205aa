"""Walks what others' programs wrote, in constant memory, and no further than what is of use goes.

``os.walk`` holds all names of a folder at once, and a path for each folder that waits.
"""

import os
from collections.abc import Iterator
from pathlib import Path

MOST_ENTRIES = 500_000  # files and folders; the largest runtimes have a fifth of it
MOST_LEVELS = 200  # of folders in folders, a descriptor each


class TooMuch(Exception):
    """There is more in a folder than is looked through."""


def walk(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Yield all in ``folder``, a folder before what is in it; no link is followed.

    Raises ``TooMuch`` once there is more than is looked through.
    """
    levels, number = [os.scandir(folder)], 0
    try:
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop().close()
                continue
            number += 1
            if number > MOST_ENTRIES:
                raise TooMuch(f"{folder.name} has more than {MOST_ENTRIES} files and folders")
            yield entry
            if entry.is_dir(follow_symlinks=False):
                if len(levels) == MOST_LEVELS:
                    raise TooMuch(f"{folder.name} has folders more than {MOST_LEVELS} deep")
                levels.append(os.scandir(entry.path))
    finally:
        for level in levels:
            level.close()


def seal(folder: Path) -> None:
    """Nobody may write here any more; when we are root it belongs to root, not to a replica.

    Raises ``TooMuch``.
    """
    _seal(folder)
    for entry in walk(folder):
        if not entry.is_symlink():
            _seal(Path(entry.path))


def _seal(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
    executable = path.is_dir() or path.stat().st_mode & 0o100
    path.chmod(0o755 if executable else 0o644)


def bound(folder: Path) -> None:
    """Raise ``TooMuch`` if there is more in ``folder`` than is looked through."""
    for _ in walk(folder):
        pass
