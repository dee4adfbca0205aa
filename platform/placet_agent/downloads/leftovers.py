"""Removes what strangers left, in little memory and few descriptors whatever its depth and number.

``shutil.rmtree`` needs memory quadratic in the depth (Python 3.13) or recurses (3.11), and both run
outside every limit of those who made the tree. Here every folder in a folder is first moved up
beside it, so that nothing is ever deeper than two, and no path longer than a name.
"""

import errno
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

log = logging.getLogger(__name__)

ASIDE = ".left"  # beside what could not be removed: the folder that it is put into
MOST_SECONDS = 600.0  # for one: who still writes into it would keep us for ever
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: Path) -> bool:
    """Remove ``path`` and all in it; tell whether nothing is left under the name.

    What cannot be removed is set aside once, under ``.left`` beside it, and said in the log: the
    next one who looks finds nothing to begin anew with. Raises no ``OSError``.
    """
    try:
        _remove(path)
    except FileNotFoundError:
        return True
    except OSError as error:
        return _set_aside(path, error)
    return True


def _remove(path: Path) -> None:
    if not stat.S_ISDIR(path.lstat().st_mode):
        path.unlink()
        return
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _opened(parent, path.name) as top:
            emptying = _Emptying(top)
            while _each(top, emptying.remove):
                pass
        os.rmdir(path.name, dir_fd=parent)
    finally:
        os.close(parent)


class _Emptying:
    """Empties a folder that stands open, one of its entries after the other."""

    def __init__(self, top: int) -> None:
        self._top, self._number = top, 0
        self._token = f".{uuid4().hex}-"  # begins no name that is there already
        self._until = time.monotonic() + MOST_SECONDS

    def remove(self, name: str) -> None:
        """Remove one entry; the folders in it are moved up beside it."""
        if time.monotonic() > self._until:
            raise TimeoutError(errno.ETIMEDOUT, f"not done in {MOST_SECONDS:.0f} s")
        if _gone(self._top, name):
            return
        with _opened(self._top, name) as folder:
            while _each(folder, partial(self._move_up, folder)):
                pass
        os.rmdir(name, dir_fd=self._top)

    def _move_up(self, folder: int, name: str) -> None:
        if time.monotonic() > self._until:
            raise TimeoutError(errno.ETIMEDOUT, f"not done in {MOST_SECONDS:.0f} s")
        if _gone(folder, name):
            return
        self._number += 1
        new = f"{self._token}{self._number}"
        try:
            os.rename(name, new, src_dir_fd=folder, dst_dir_fd=self._top)
        except PermissionError:  # a folder that its owner may not write in cannot be moved
            _allow(folder, name)
            os.rename(name, new, src_dir_fd=folder, dst_dir_fd=self._top)


def _gone(folder: int, name: str) -> bool:
    """Remove a file, a link or an empty folder; tell whether it was one."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return True
    except (IsADirectoryError, PermissionError):  # POSIX has the one for folders, Linux the other
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
    return True


@contextmanager
def _opened(parent: int, name: str) -> Iterator[int]:
    try:
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        _allow(parent, name)
        folder = os.open(name, _FOLDER, dir_fd=parent)
    try:
        if os.fstat(folder).st_mode & 0o700 != 0o700:
            os.fchmod(folder, 0o700)
        yield folder
    finally:
        os.close(folder)


def _allow(parent: int, name: str) -> None:
    """Give us all rights to a folder that cannot be opened, and to nothing that a link names."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, flags, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o700)  # noqa: PTH101 - the descriptor, by its name
    finally:
        os.close(handle)


def _each(folder: int, work: Callable[[str], None]) -> bool:
    """Do something with all names in a folder as they are read; tell whether there was any.

    Of millions a buffer is held; to begin anew after some would read again where those stood.
    """
    nonempty = False
    with os.scandir(folder) as entries:
        for entry in entries:
            nonempty = True
            work(entry.name)
    return nonempty


def _set_aside(path: Path, error: OSError) -> bool:
    if path.name == ASIDE or path.parent.name == ASIDE:
        return False
    aside = path.parent / ASIDE
    try:
        aside.mkdir(mode=0o700, exist_ok=True)
        if aside.lstat().st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "belongs to somebody else", str(aside))
        path.rename(aside / f"{path.name}-{uuid4().hex[:8]}")
    except OSError as second:
        log.warning("%s cannot be removed (%s), nor set aside (%s)", path, error, second)
    else:
        log.warning("%s cannot be removed and was put into %s: %s", path, aside, error)
    return False
