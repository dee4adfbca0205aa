"""Bytes on their way in: files that grow on this machine's disk until they are whole."""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Protocol

from apps.registry.errors import BlobMissing, DigestMismatch, OffsetMismatch, UploadBusy
from apps.registry.store.backend import PIECE
from apps.registry.store.disk import make_folder, room


class Readable(Protocol):
    """Whatever bytes come out of: a request, a file."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, b'' at the end."""


class Staging:
    """The folder ``incoming``. Safe for many processes at once.

    Web processes on several hosts need no common folder: one that does not find what another
    received says so, and the client begins the file again.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def incoming(self, name: str) -> Path:
        """Return the file that the upload called ``name`` grows in."""
        if not re.fullmatch(r"[a-z0-9_]{1,60}", name):
            raise ValueError(f"not the name of an upload: {name[:80]!r}")
        return self.root / "incoming" / name

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Hold the upload's file alone; a second writer gets :class:`UploadBusy` at once.

        The lock is on the file and goes with its name: whoever renames or removes it lets a second
        one in, so what an upload may still become is decided by its row, never by the lock alone.
        """
        path = self.incoming(name)
        make_folder(path.parent)
        with room(), path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadBusy from None
            if not _is_at(file, path):  # renamed or dropped while we waited: not ours to write
                raise UploadBusy
            yield file

    def append(self, file: IO[bytes], offset: int, stream: Readable, length: int) -> int:
        """Append up to ``length`` bytes of ``stream`` at ``offset``; return how many lie on disk.

        The stream may end or break early: what came is kept, so that the client resumes there.
        Bytes past ``offset`` that nobody acknowledged are cut off first. When the disk is full
        the file is cut back to ``offset``.
        """
        present = file.seek(0, os.SEEK_END)
        if present < offset:
            raise OffsetMismatch(f"The store holds {present} bytes of this upload")
        file.truncate(offset)
        written = 0
        try:
            while written < length:
                piece = _read_or_end(stream, min(PIECE, length - written))
                if not piece:
                    break
                file.write(piece)
                written += len(piece)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(offset)
            raise
        return written

    @contextmanager
    def verified_incoming(self, name: str, sha256: str) -> Iterator[BufferedReader]:
        """Open a complete upload whose bytes have ``sha256``. Other bytes are refused and stay: who
        drops them does so when nobody can ask for the upload any more."""
        path = self.incoming(name)
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            raise BlobMissing("The bytes of this upload are gone: start it again") from None
        with stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest != sha256:
                raise DigestMismatch(f"Expected {sha256}, received {digest}; the bytes are dropped")
            stream.seek(0)
            yield stream

    def drop(self, name: str) -> None:
        """Remove what was received of an upload, or what a crash left of its unpacking."""
        path = self.incoming(name)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def leftovers(self, before: float) -> Iterator[str]:
        """Yield the names in ``incoming`` that were last written before that Unix time."""
        folder = self.root / "incoming"
        if not folder.is_dir():
            return
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    yield entry.name

    @contextmanager
    def _temporary(self) -> Iterator[tuple[Path, IO[bytes]]]:
        folder = self.root / "incoming"
        make_folder(folder)
        with room():
            descriptor, name = tempfile.mkstemp(dir=folder, prefix="put_")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    yield Path(name), file
            finally:
                Path(name).unlink(missing_ok=True)


def _is_at(file: IO[bytes], path: Path) -> bool:
    """Tell whether ``path`` still names the open ``file``."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _read_or_end(stream: Readable, size: int) -> bytes:
    """Read a piece; a client that went away is the end of the stream."""
    try:
        return stream.read(size)
    except OSError:
        return b""
