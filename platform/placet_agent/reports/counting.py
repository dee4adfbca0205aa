"""What relays and links counted, in a small file that they write and the agent reads."""

import json
import os
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from placet_agent.state import files

_LIMIT = 1 << 18
_REASON = 300


@dataclass
class Count:
    """What became of the connections to one destination."""

    connections: int = 0  # that were made
    refused: int = 0  # by a rule: the address, or too many at once
    failed: int = 0  # the name did not resolve, or nobody answered
    bytes_out: int = 0
    bytes_in: int = 0
    reason: str = ""  # of the last one refused or failed

    def sent(self, size: int) -> None:
        """Count bytes that went out."""
        self.bytes_out += size

    def received(self, size: int) -> None:
        """Count bytes that came in."""
        self.bytes_in += size

    def refuse(self, reason: str) -> None:
        """Count a connection that a rule refused."""
        self.refused += 1
        self.reason = reason[:_REASON]

    def fail(self, reason: str) -> None:
        """Count a connection that could not be made."""
        self.failed += 1
        self.reason = reason[:_REASON]


class CountFile:
    """The counts of one process; its folder is opened before privileges are given up."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.of = {name: Count() for name in names}
        self.name = path.name
        self.folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.written = ""

    def write(self) -> None:
        """Replace the file, if anything has changed; a full disk is no reason to end."""
        text = json.dumps({name: asdict(count) for name, count in self.of.items()})
        if text == self.written:
            return
        fresh = f".{self.name}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(OSError):
            handle = os.open(fresh, flags, 0o600, dir_fd=self.folder)
            with os.fdopen(handle, "w") as stream:
                stream.write(text)
            os.rename(fresh, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            self.written = text


def prepare(path: Path, uid: int | None) -> None:
    """Make the folder that a process of this user may write its counts to, and nobody else."""
    files.make_folder(path.parent)
    if uid is not None:
        os.chown(path.parent, uid, uid)


def read(path: Path) -> dict[str, Count]:
    """Return what was counted; nothing where there is no such file, or one that makes no sense.

    The folder belongs to a user without rights: no link is followed and nothing long is read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return {}
            document = json.loads(stream.read(_LIMIT))
        return {str(name): _count(values) for name, values in document.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return {}


def _count(values: dict[str, object]) -> Count:
    numbers = {name: int(str(values[name])) for name in asdict(Count()) if name != "reason"}
    return Count(**numbers, reason=str(values["reason"])[:_REASON])
