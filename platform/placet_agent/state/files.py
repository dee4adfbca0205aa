"""Small files that survive a crash: written beside, then renamed."""

import ctypes
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from placet_agent.downloads.leftovers import remove
from placet_agent.faults import crash_point

log = logging.getLogger(__name__)
_libc = ctypes.CDLL(None, use_errno=True)

MAKING, REMOVING = ".making-", ".removing-"  # before the name of a folder that is not whole


ANEW = "or join anew with an empty folder"
REMEDIES = {  # beside a copy of the file: what is to be done without one
    "node.json": "or run `placet-agent join` again",
    "recalls.json": "or delete it: then what was recalled counts as the platform tells it",
    "receipts.json": "or delete it: then what it had to say of what ran is lost",
    "aborts.json": "or delete it: then a candidate that was taken back may get requests again",
}


class Busy(Exception):
    """Another process holds the folder."""


class Unreadable(ValueError):
    """A file of the node is not what it was; the sentence says what to do."""

    def __init__(self, path: Path) -> None:
        remedy = REMEDIES.get(path.name, ANEW)
        super().__init__(f"{path} cannot be read: put back a copy of it, {remedy}")


def write_bytes(path: Path, content: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace ``path`` in one step; with ``durable`` it also survives a power cut."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        crash_point(f"agent.before_rename.{path.name}")
        temporary.replace(path)
    except BaseException:  # on a full disk each name would leave one
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)
    crash_point(f"agent.after_rename.{path.name}")


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Make all that was written below ``folder`` survive a power cut, with all of its file system.

    To be called before ``folder`` gets the name of what is whole: the name alone, once it is
    durable, would stand for files of which nothing had come to the disk.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(handle):
            raise OSError(number := ctypes.get_errno(), os.strerror(number), str(folder))
    finally:
        os.close(handle)


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    """Replace ``path`` with ``value`` as JSON."""
    write_bytes(path, json.dumps(value, indent=1, sort_keys=True).encode(), durable=durable)


def read_json(path: Path) -> Any | None:
    """Return what ``path`` holds, or ``None`` when it is absent. Raises ``Unreadable``."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Unreadable(path) from error


def read_hint(path: Path) -> Any | None:
    """Return what ``path`` holds; ``None`` also when it is no JSON, as a power cut may leave it.

    For what was not written to be durable, and can be found out otherwise.
    """
    try:
        return read_json(path)
    except ValueError:
        return None


class Copy:
    """The copy on disk of what counts in memory, also while the disk does not take it.

    Whoever has one writes it again while ``fault`` says why the last write came to nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault = ""

    def write(self, value: object) -> None:
        """Replace the copy, if the disk takes it."""
        try:
            write_json(self.path, value)
            self.fault = ""
        except OSError as error:
            if not self.fault:
                log.exception("%s cannot be written", self.path.name)
            self.fault = str(error)[:500]


def make_folder(path: Path, mode: int = 0o700) -> Path:
    """Make a folder of this mode, whatever the umask says."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    return path


def prune(folder: Path, keep: set[str], spare: int) -> list[str]:
    """Remove what ``keep`` does not name from ``folder``, but for the ``spare`` newest of it."""
    old = [p for p in folder.iterdir() if p.name not in keep and not p.name.startswith(".")]
    removed = []
    for path in sorted(old, key=lambda p: p.stat().st_mtime, reverse=True)[spare:]:
        # under another name first, so that a half-removed folder is never taken for a whole one
        hidden = folder / f"{REMOVING}{path.name}"
        remove(hidden)
        try:
            remove(path.rename(hidden))
        except OSError as error:  # one that stays keeps no other
            log.warning("%s cannot be removed: %s", path, error)
            continue
        removed.append(path.name)
    return sorted(removed)


@contextmanager
def making(folder: Path, name: str) -> Iterator[Path]:
    """Hold a folder that becomes ``name`` when it is whole: what does not is removed at once, and
    keeps no disk full."""
    path = folder / f"{MAKING}{name}"
    remove(path)
    make_folder(path)
    try:
        yield path
    except BaseException:
        remove(path)
        raise


def clear_unfinished(folder: Path) -> None:
    """Remove what an agent that was killed was making or removing; none may run over ``folder``."""
    for path in folder.glob(".*-*"):
        if path.name.startswith((MAKING, REMOVING)):
            remove(path)


def clear_temporaries(*folders: Path) -> None:
    """Remove what an agent that was killed was writing; none may run over ``folders``."""
    for folder in folders:
        for path in folder.glob(".*.new"):
            path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for one agent; raise ``Busy`` while another process has it."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"another agent already runs on {folder}") from error
        yield
    finally:
        os.close(handle)
