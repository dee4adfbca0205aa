"""Sends captured predictions on: each byte of each file once, as far as the platform has it.

A service writes files into a folder of its replica; see ``builder/templates/placet_capture.py``.
What lies there was written by other people's code: only plain files with the names that we gave
are read, links are never followed, a folder that grows past its bounds loses its oldest files, and
none is sent from for longer than others can wait.
How far the platform has a file it says itself, so nothing is kept here that a crash could lose.
"""

import logging
import os
import re
import shutil
import stat
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from placet_agent import files
from placet_agent.client import Client, Rejected, Unreachable
from placet_agent.replica import Record
from placet_protocol.captures import CAPTURE_BYTES

log = logging.getLogger(__name__)

INSIDE = "/capture"
EVERY_SECONDS = 2.0
FOLDER_BYTES = 128 << 20  # a service stops at half of it
FOLDER_FILES = 1000  # of 4 MiB each, and one for each process that ever wrote
SLICE_SECONDS = 5.0  # for one folder, then others are sent
_FILE = re.compile(r"([0-9a-f]{32})-[0-9]{6}\.jsonl")
_REPLICA = re.compile(r"([A-Za-z0-9_]+)-[0-9a-f]{8}")


def folder_for(root: Path, record: Record) -> dict[str, Path]:
    """Make the folder of one replica, which its user alone may enter; return where it is bound."""
    folder = files.make_folder(root / record.id)
    if record.uid is not None:
        os.chown(folder, record.uid, record.uid)
    return {INSIDE: folder}


@dataclass
class Shipper:
    """A thread that sends what the replicas wrote, and removes what the platform has."""

    root: Path
    client: Client
    alive: Callable[[], Iterable[str]]  # the ids of replicas that are not gone
    tell: Callable[[str, str], None]  # an error, once
    offsets: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what lies there now and end; the rest is sent by the next agent."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self.once()
        self.once()

    def once(self) -> None:
        """Send everything that is there; leave it for the next time when that fails."""
        try:
            folders = sorted(self.root.iterdir())
            alive = set(self.alive())  # after the folders: one that is new has its replica in here
            ours = [(path, m[1]) for path in folders if (m := _REPLICA.fullmatch(path.name))]
            for folder, _ in ours:  # first, so that it holds while the platform is away
                self._alone(self._bound, folder)
            for folder, revision in ours:
                self._alone(self._send_folder, folder, revision, folder.name not in alive)
        except Unreachable as error:
            log.info("captured predictions wait: %s", error)
        except Exception as error:  # whatever it is, the next time others are sent
            log.exception("captured predictions are not sent")
            self.tell("capture_unreadable", str(error))

    def _alone(self, work: Callable[..., None], folder: Path, *more: object) -> None:
        """Do something with one folder; what its owner does to it is no matter of the others."""
        try:
            work(folder, *more)
        except Unreachable:
            raise
        except Exception as error:  # a file that goes, a lease, and what nobody has thought of
            self.tell("capture_unreadable", f"{folder.name}: {error}")

    def _send_folder(self, folder: Path, revision: str, gone: bool) -> None:
        found, until = own_files(folder), time.monotonic() + SLICE_SECONDS
        for path, following in zip(found, [*found[1:], None], strict=False):  # none at all: idle
            if time.monotonic() > until:
                return
            last = following is None or following.name[:33] != path.name[:33]
            if self._send_file(path, revision, until) and (gone or not last):
                self._forget(path)
        if gone and not own_files(folder):
            shutil.rmtree(folder, ignore_errors=True)

    def _bound(self, folder: Path) -> None:
        if over := too_much(own_files(folder)):
            detail = f"{folder.name} wrote more than is kept: {over[0].name}"
            more = f" and {len(over) - 1} more" if over[1:] else ""
            self.tell("capture_dropped", detail + more)
        for path in over:
            self._forget(path)

    def _send_file(self, path: Path, revision: str, until: float) -> bool:
        """Send the whole lines that a file has now; tell whether the platform has all of them.

        What a busy service writes meanwhile is for the next time: otherwise this would go on with
        a few lines each for ever, and other files would wait.
        """
        there = path.stat().st_size
        while True:
            offset = self.offsets.get(path, 0)
            lines = read_lines(path, offset)
            if not lines:
                return True
            if offset >= there or time.monotonic() > until:
                return False
            try:
                known = self.client.capture(revision, path.name, offset, zlib.compress(lines))
            except Rejected as refusal:
                self.tell("capture_refused", f"{path.name}: {refusal}")
                known = offset + len(lines)  # others would be refused for the same reason
            if known == offset:
                raise Unreachable("the platform asks for what it was sent")
            self.offsets[path] = known

    def _forget(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.offsets.pop(path, None)


def own_files(folder: Path) -> list[Path]:
    """Return the files that a service writes, in the order of their names."""
    found = [path for path in folder.iterdir() if _FILE.fullmatch(path.name)]
    return sorted(path for path in found if stat.S_ISREG(path.lstat().st_mode))


def too_much(found: list[Path]) -> list[Path]:
    """Return the oldest of ``found`` that do not fit into what is kept."""
    newest_first = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    total, over = 0, []
    for place, path in enumerate(newest_first):
        total += path.stat().st_size
        if total > FOLDER_BYTES or place >= FOLDER_FILES:
            over.append(path)
    return over


def read_lines(path: Path, offset: int) -> bytes:
    """Return whole lines from ``offset`` on, at most ``CAPTURE_BYTES``; a cut line never."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return b""
        stream.seek(offset)
        chunk = stream.read(CAPTURE_BYTES)
    return chunk[: chunk.rfind(b"\n") + 1]
