"""What a backend of the store can do; :class:`Folder` and :class:`Bucket` are the two."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Protocol

PIECE = 1024 * 1024
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob as a listing shows it."""

    sha256: str
    size: int
    modified: datetime


class Backend(Protocol):
    """Where complete blobs lie, each under its SHA-256 (64 hex digits).

    Safe for many processes at once, and never inside a transaction.
    """

    def local(self, digest: str) -> Path | None:
        """Return the file the blob lies in, there or not; None when it lies on no disk of ours."""

    def exists(self, digest: str) -> bool:
        """Tell whether the blob is there."""

    def open(self, digest: str) -> BufferedReader:
        """Open the blob. Raises :class:`BlobMissing`.

        A reader that can seek gives the bytes as they are; one that cannot checks them on the
        way and raises :class:`BlobCorrupt` instead of giving the last of them.
        """

    def adopt(self, source: Path, digest: str) -> None:
        """Make the complete file ``source``, whose bytes have ``digest``, a blob; it may move."""

    def delete(self, digest: str) -> None:
        """Remove the blob; one that is not there is no error."""

    def listing(self) -> Iterator[Stored]:
        """Yield every blob."""

    def abandon(self, before: datetime) -> int:
        """Drop what unfinished writes left behind before that time; return how many."""


def hex_digest(sha256: str) -> str:
    """Return the 64 hex digits of a digest. Raises :class:`ValueError` for anything else."""
    digest = sha256.removeprefix("sha256:")
    if not _HEX.fullmatch(digest):
        raise ValueError(f"not a SHA-256: {sha256[:80]!r}")
    return digest
