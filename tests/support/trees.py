"""Trees as nobody makes them but who wants to harm, and a bound of memory to read them in."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from placet_agent.downloads.leftovers import remove

DEEP = 4000
NAME = "d" * 250


def deep(folder: Path, depth: int = DEEP) -> None:
    """Make folders in folders, with a file in the last: a path of a million characters."""
    folder.mkdir(exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(NAME, dir_fd=handle)
        inner = os.open(NAME, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)


@contextmanager
def lent_deep(folder: Path) -> Iterator[None]:
    """Lend such a tree, and leave nothing of it to pytest, which removes by ``shutil.rmtree``."""
    deep(folder)
    try:
        yield
    finally:
        remove(folder)


@contextmanager
def memory_of(megabytes: int) -> Iterator[None]:
    """Let this process have so much more than it has now."""
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (has + (megabytes << 20), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
