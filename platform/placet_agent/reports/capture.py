"""Sends captured predictions on: each byte of each file once, as far as the platform has it.

A service writes files into a folder of its replica; see ``builder/templates/placet_capture.py``.
What lies there was written by other people's code: only plain files with the names that we gave
are read, links are never followed, a folder that grows past its bounds loses its oldest files, and
none is looked at, sent from or removed for longer than others can wait.
How far the platform has a file it says itself, so nothing is kept here that a crash could lose.
"""

import logging
import os
import re
import stat
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from placet_agent.client import Client, Rejected, Unreachable
from placet_agent.downloads.leftovers import remove
from placet_agent.process.replica import ReplicaRecord
from placet_agent.state import files
from placet_protocol.captures import CAPTURE_BYTES

log = logging.getLogger(__name__)

INSIDE = "/capture"
EVERY_SECONDS = 2.0
FOLDER_BYTES = 128 << 20  # a service stops at half of it
FOLDER_FILES = 1000  # of 4 MiB each, and one for each process that ever wrote
FOLDER_NAMES = 10_000  # of whatever lies there, that one look reads
SLICE_SECONDS = 5.0  # for one folder, then others are sent
REMOVE_SECONDS = 1.0  # that one look waits for folders which are given up; removing them goes on
SAY_SECONDS = 60.0  # between two words of the same kind about one folder
_FILE = re.compile(r"([0-9a-f]{32})-[0-9]{6}\.jsonl")
_REPLICA = re.compile(r"([A-Za-z0-9_]+)-[0-9a-f]{8}")


def folder_for(root: Path, record: ReplicaRecord) -> dict[str, Path]:
    """Make the folder of one replica, which its user alone may enter; return where it is bound."""
    folder = files.make_folder(root / record.captured_as)
    if record.uid is not None:
        os.chown(folder, record.uid, record.uid)
    return {INSIDE: folder}


def take_folder(root: Path, record: ReplicaRecord, folder: Path) -> None:
    """Make a folder that is bound already that of one replica."""
    folder.rename(root / record.captured_as)
    folder_for(root, record)


@dataclass
class Shipper:
    """A thread that sends what the replicas wrote, and removes what the platform has."""

    root: Path
    client: Client
    alive: Callable[[], Iterable[str]]  # the folders of replicas that are not gone
    tell: Callable[[str, str], None]  # an error, once
    offsets: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._removing: threading.Thread | None = None
        self._said: dict[tuple[str, str], float] = {}
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
            self._remove()
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
            self._say("capture_unreadable", folder, f"{folder.name}: {error}")

    def _say(self, code: str, folder: Path, detail: str) -> None:
        """Tell of a folder, once a minute: its owner may have it said at each look."""
        now = time.monotonic()
        self._said = {key: at for key, at in self._said.items() if at > now - SAY_SECONDS}
        if (code, folder.name) not in self._said:
            self._said[code, folder.name] = now
            self.tell(code, detail)

    def _remove(self) -> None:
        """Remove the folders that were given up, however much their owners have put there."""
        if self._removing is None or not self._removing.is_alive():
            left = [p for p in self.root.iterdir() if p.name.startswith(files.REMOVING)]
            if not left:
                return
            self._removing = threading.Thread(target=lambda: [*map(remove, left)], daemon=True)
            self._removing.start()
        self._removing.join(REMOVE_SECONDS)

    def _send_folder(self, folder: Path, revision: str, gone: bool) -> None:
        paths, until = own_files(folder), time.monotonic() + SLICE_SECONDS
        for path, following in zip(paths, [*paths[1:], None], strict=False):  # none at all: idle
            if time.monotonic() > until:
                return
            last = following is None or following.name[:33] != path.name[:33]
            if self._send_file(path, revision, until) and (gone or not last):
                self._forget(path)
        if gone and not own_files(folder):
            folder.rename(folder.with_name(f"{files.REMOVING}{folder.name}"))

    def _bound(self, folder: Path) -> None:
        with os.scandir(folder) as entries:
            if len([*islice(entries, FOLDER_NAMES + 1)]) > FOLDER_NAMES:
                detail = f"{folder.name} holds more than {FOLDER_NAMES} names: some are not sent"
                self._say("capture_dropped", folder, detail)
        if over := too_much(own_files(folder)):
            detail = f"{folder.name} wrote more than is kept: {over[0].name}"
            more = f" and {len(over) - 1} more" if over[1:] else ""
            self._say("capture_dropped", folder, detail + more)
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
                self._say("capture_refused", path.parent, f"{path.name}: {refusal}")
                known = offset + len(lines)  # others would be refused for the same reason
            if known == offset:
                raise Unreachable("the platform asks for what it was sent")
            self.offsets[path] = known

    def _forget(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.offsets.pop(path, None)


def own_files(folder: Path) -> list[Path]:
    """Return the files that a service writes, in the order of their names.

    Of what lies there ``FOLDER_NAMES`` are looked at: who puts more beside them has fewer found.
    """
    with os.scandir(folder) as entries:
        ours = (one for one in islice(entries, FOLDER_NAMES) if _FILE.fullmatch(one.name))
        return sorted(folder / one.name for one in ours if one.is_file(follow_symlinks=False))


def too_much(paths: list[Path]) -> list[Path]:
    """Return the oldest of ``paths`` that do not fit into what is kept."""
    newest_first = sorted(paths, key=lambda path: path.lstat().st_mtime, reverse=True)
    total, over = 0, []
    for index, path in enumerate(newest_first):
        total += path.lstat().st_size
        if total > FOLDER_BYTES or index >= FOLDER_FILES:
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
