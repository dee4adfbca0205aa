"""What an extractor writes to, and the limits that stop it."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from placet_verify.archive.names import ArchiveNames, ArchiveRefused, shown

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much an archive may hold.

    ``ratio`` bounds the unpacked bytes by the archive's own size, once they pass ``ratio_from``.
    """

    files: int = 20_000
    total_bytes: int = 8 << 30
    ratio: int = 200
    ratio_from: int = 64 << 20


@dataclass(frozen=True, slots=True)
class ExtractedFile:
    """One file as it now lies in the destination; ``sha256`` is 64 hex digits."""

    path: str
    size: int
    sha256: str
    executable: bool


@dataclass(slots=True)
class Budget:
    """What is left of the limits for one archive of ``archive_bytes``."""

    limits: ArchiveLimits
    archive_bytes: int
    entries: int = 0
    unpacked: int = 0

    def entry(self) -> None:
        """Count one member, of whatever type."""
        self.entries += 1
        if self.entries > self.limits.files:
            raise ArchiveRefused(
                "too_many_files", f"the archive has more than {self.limits.files} members"
            )

    def spend(self, count: int) -> None:
        """Count unpacked bytes, headers included."""
        self.unpacked += count
        if self.unpacked > self.limits.total_bytes:
            raise ArchiveRefused(
                "too_large", f"the archive unpacks to more than {self.limits.total_bytes} bytes"
            )
        allowed = max(self.limits.ratio_from, self.limits.ratio * self.archive_bytes)
        if self.unpacked > allowed:
            raise ArchiveRefused(
                "bomb", f"the archive unpacks to more than {self.limits.ratio} times its size"
            )


@dataclass(slots=True)
class OutputFolder:
    """The destination folder: empty at first, and empty again after a refusal."""

    folder: Path
    names: ArchiveNames = field(default_factory=ArchiveNames)
    files: list[ExtractedFile] = field(default_factory=list)
    _made: bool = False

    def open(self) -> None:
        """Make the folder; raise ``ArchiveRefused`` when it holds something already."""
        try:
            self.folder.mkdir(parents=True)
            self._made = True
        except FileExistsError:
            if self.folder.is_symlink() or not self.folder.is_dir() or any(self.folder.iterdir()):
                raise ArchiveRefused(
                    "destination_in_use", "the destination is not an empty folder"
                ) from None

    def discard(self) -> None:
        """Remove everything that was written."""
        for child in self.folder.iterdir():
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            else:
                child.unlink()
        if self._made:
            self.folder.rmdir()

    def add_folder(self, name: str) -> None:
        """Make a folder of the archive."""
        self.names.add_folder(name)
        (self.folder / name).mkdir(parents=True, exist_ok=True)

    def add_file(
        self, name: str, size: int, chunks: Iterable[bytes], *, executable: bool = False
    ) -> None:
        """Write a file of the archive; raise ``ArchiveRefused`` unless it has ``size`` bytes."""
        self.names.add_file(name)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        handle = os.open(path, flags, 0o755 if executable else 0o644)
        hasher, written = hashlib.sha256(), 0
        with os.fdopen(handle, "wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
                hasher.update(chunk)
                written += len(chunk)
        if written != size:
            raise ArchiveRefused("truncated", f"{shown(name)} has {written} of {size} bytes")
        self.files.append(ExtractedFile(name, size, hasher.hexdigest(), executable))
