"""The content-addressed store: a local folder of immutable blobs named by their SHA-256.

```
<artifacts>/sha256/ab/abcdef…   a blob, read-only; there only when complete and on disk
<artifacts>/incoming/<name>     bytes on their way in; worth nothing until renamed
```
Nothing here knows the database, and none of it may be called inside a transaction.
"""

import errno
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

from apps.registry.errors import (
    BlobCorrupt,
    BlobMissing,
    DigestMismatch,
    OffsetMismatch,
    StorageFull,
    UploadBusy,
)
from placet.config import config
from placet.kernel.faults import crash_point
from placet.kernel.problems import TooLarge

PIECE = 1024 * 1024
_HEX = re.compile(r"[0-9a-f]{64}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Readable(Protocol):
    """Whatever bytes come out of: a request, a file."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, b'' at the end."""


class Store:
    """One folder of blobs. Safe for many processes at once."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or config().artifacts

    def path(self, sha256: str) -> Path:
        """Return where the blob lies, whether it is there or not."""
        digest = sha256.removeprefix("sha256:")
        if not _HEX.fullmatch(digest):
            raise ValueError(f"not a SHA-256: {sha256[:80]!r}")
        return self.root / "sha256" / digest[:2] / digest

    def exists(self, sha256: str) -> bool:
        """Tell whether the blob is there."""
        return self.path(sha256).is_file()

    def open(self, sha256: str) -> BufferedReader:
        """Open the blob without looking at its bytes. Raises :class:`BlobMissing`."""
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError:
            raise BlobMissing(f"The artifact store does not hold {sha256}") from None

    def open_verified(self, sha256: str) -> BufferedReader:
        """Open the blob after hashing it through the same descriptor; refuse a damaged one."""
        stream = self.open(sha256)
        if hashlib.file_digest(stream, "sha256").hexdigest() != self.path(sha256).name:
            stream.close()
            raise BlobCorrupt(f"The bytes of {sha256} in the artifact store are damaged")
        stream.seek(0)
        return stream

    def read(self, sha256: str, *, limit: int) -> bytes:
        """Return a small blob's verified bytes; :class:`TooLarge` past ``limit``."""
        with self.open(sha256) as stream:
            raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge(f"More than {limit} bytes")
        if hashlib.sha256(raw).hexdigest() != self.path(sha256).name:
            raise BlobCorrupt(f"The bytes of {sha256} in the artifact store are damaged")
        return raw

    def put_stream(
        self, stream: Readable, expected: str | None = None, limit: int | None = None
    ) -> tuple[str, int]:
        """Store what ``stream`` holds and return its SHA-256 (hex) and size.

        ``expected`` refuses other bytes (:class:`DigestMismatch`), ``limit`` more bytes
        (:class:`TooLarge`). On any error the store is as it was before.
        """
        maximum = config().max_artifact_bytes if limit is None else limit
        hasher, size = hashlib.sha256(), 0
        with self._temporary() as (path, file):
            while piece := stream.read(PIECE):
                size += len(piece)
                if size > maximum:
                    raise TooLarge(f"More than {maximum} bytes")
                hasher.update(piece)
                file.write(piece)
            digest = hasher.hexdigest()
            if expected and digest != expected.removeprefix("sha256:"):
                raise DigestMismatch(f"Expected {expected}, received {digest}")
            file.flush()
            self._adopt(path, digest)
        return digest, size

    def put_file(self, path: Path, expected: str | None = None) -> tuple[str, int]:
        """Store a copy of the file at ``path``."""
        with path.open("rb") as stream:
            return self.put_stream(stream, expected)

    # ── uploads on their way in ──────────────────────────────────────────────────────────────

    def incoming(self, name: str) -> Path:
        """Return the file that the upload called ``name`` grows in."""
        if not re.fullmatch(r"[a-z0-9_]{1,60}", name):
            raise ValueError(f"not the name of an upload: {name[:80]!r}")
        return self.root / "incoming" / name

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """Hold the upload's file alone; a second writer gets :class:`UploadBusy` at once."""
        path = self.incoming(name)
        self._folder(path.parent)
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

    def keep(self, name: str, sha256: str) -> None:
        """Turn a complete upload into a blob; other bytes are dropped: :class:`DigestMismatch`."""
        path = self.incoming(name)
        with self.verified_incoming(name, sha256):
            self._adopt(path, sha256)

    @contextmanager
    def verified_incoming(self, name: str, sha256: str) -> Iterator[BufferedReader]:
        """Open a complete upload whose bytes have ``sha256``; other bytes are dropped."""
        path = self.incoming(name)
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            raise BlobMissing("The bytes of this upload are gone: start it again") from None
        with stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest != sha256:
                self.drop(name)
                raise DigestMismatch(
                    f"Expected {sha256}, received {digest}; the bytes were dropped"
                )
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

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _temporary(self) -> Iterator[tuple[Path, IO[bytes]]]:
        folder = self.root / "incoming"
        self._folder(folder)
        with room():
            descriptor, name = tempfile.mkstemp(dir=folder, prefix="put_")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    yield Path(name), file
            finally:
                Path(name).unlink(missing_ok=True)

    def _adopt(self, source: Path, digest: str) -> None:
        """Make the complete file ``source`` the blob ``digest``: on disk first, then renamed."""
        target = self.path(digest)
        with room():
            self._folder(target.parent)
            with source.open("rb") as file:
                os.fsync(file.fileno())
            source.chmod(0o444)
            crash_point("registry.before_blob_rename")
            source.replace(target)
            crash_point("registry.after_blob_rename")
            _sync_folder(target.parent)

    def _folder(self, folder: Path) -> None:
        if not folder.is_dir():
            with room():
                folder.mkdir(parents=True, exist_ok=True)
                _sync_folder(folder.parent)


def store() -> Store:
    """Return the store of this installation."""
    return Store()


@contextmanager
def room() -> Iterator[None]:
    """Turn a full disk into an answer."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from None
        raise


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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
