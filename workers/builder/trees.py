"""Walks over trees that strangers wrote: in bounded memory, descriptors, depth and number.

Nothing is called by its path, which may be longer than the kernel takes: each folder is opened in
the one above it, and no link is followed.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_ENTRIES = 200_000
MOST_DEPTH = 100
MOST_PATH = 2000  # characters below the top: with what stands above it every path is short enough
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TooMuch(Exception):
    """The tree is deeper, longer or more numerous than anything honest."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file, folder, link or whatever; ``folder`` stands open only until the next one."""

    path: str  # below the top
    name: str
    folder: int
    found: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Tell whether it is one, and no link to one."""
        return stat.S_ISDIR(self.found.st_mode)


def walk(top: Path, most: int = MOST_ENTRIES) -> Iterator[TreeEntry]:
    """Yield everything in ``top``, a folder before what is in it; what vanishes is left out.

    Raises ``TooMuch``, and ``OSError`` where a folder cannot be looked into.
    """
    count = 0
    opened = _Opened()
    try:
        opened.enter(None, str(top), "")
        while opened.stack:
            folder, above, entries = opened.stack[-1]
            if (entry := next(entries, None)) is None:
                opened.leave()
                continue
            count += 1
            path = above + entry.name
            if count > most or len(opened.stack) > MOST_DEPTH or len(path) > MOST_PATH:
                raise TooMuch(f"more than {most} files, or deeper than {MOST_DEPTH} folders")
            try:
                status = os.lstat(entry.name, dir_fd=folder)
            except FileNotFoundError:
                continue
            yield TreeEntry(path, entry.name, folder, status)
            if stat.S_ISDIR(status.st_mode):
                opened.enter(folder, entry.name, f"{path}/")
    finally:
        while opened.stack:
            opened.leave()


class _Opened:
    """The folders on the way from the top to where a walk stands."""

    def __init__(self) -> None:
        self.stack: list[tuple[int, str, Any]] = []

    def enter(self, above: int | None, name: str, path: str) -> None:
        """Open a folder; one that is gone meanwhile, or is none any more, is left out."""
        try:
            folder = os.open(name, FOLDER, dir_fd=above)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            self.stack.append((folder, path, os.scandir(folder)))
        except OSError:
            os.close(folder)
            raise

    def leave(self) -> None:
        """Close the folder in which the walk stands."""
        folder, _, entries = self.stack.pop()
        entries.close()
        os.close(folder)
