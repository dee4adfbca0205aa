"""The store as everybody uses it, over one of its backends."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from io import BufferedReader
from pathlib import Path

from apps.registry.errors import BlobCorrupt, DigestMismatch
from apps.registry.store.backend import PIECE, Backend, Stored, hex_digest
from apps.registry.store.disk import make_folder, room
from apps.registry.store.folder import BlobFolder
from apps.registry.store.staging import Readable, Staging
from placet.kernel.config import config
from placet.kernel.problems import TooLarge


class Store(Staging):
    """Blobs by their SHA-256, and uploads on their way to become some."""

    def __init__(
        self,
        root: Path | None = None,
        backend: Backend | None = None,
        claim: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(root or config().artifacts)
        self.backend: Backend = backend or BlobFolder(self.root)
        self._claim = claim or (lambda digest: None)  # keeps a blob from being collected

    def path(self, sha256: str) -> Path | None:
        """Return the file the blob lies in, there or not; None when it lies in a bucket."""
        return self.backend.local(hex_digest(sha256))

    def exists(self, sha256: str) -> bool:
        """Tell whether the blob is there."""
        return self.backend.exists(hex_digest(sha256))

    def holds(self, sha256: str) -> bool:
        """Tell whether the blob is there and stays there for somebody who will now need it."""
        self._claim(hex_digest(sha256))
        return self.exists(sha256)

    def open(self, sha256: str) -> BufferedReader:
        """Open the blob. Raises :class:`BlobMissing`.

        From a folder the bytes come as they are, for callers who hash them themselves. From a
        bucket a damaged blob is never read to its end: :class:`BlobCorrupt`.
        """
        return self.backend.open(hex_digest(sha256))

    def open_verified(self, sha256: str) -> BufferedReader:
        """Open the blob after hashing all of it; refuse a damaged one before the first byte."""
        stream = self.open(sha256)
        if not stream.seekable():
            stream = self._fetched(stream)
        elif hashlib.file_digest(stream, "sha256").hexdigest() != hex_digest(sha256):
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
        if hashlib.sha256(raw).hexdigest() != hex_digest(sha256):
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

    def keep(self, name: str, sha256: str, verified: Callable[[], None] | None = None) -> None:
        """Turn a complete upload into a blob; other bytes are refused: :class:`DigestMismatch`.

        ``verified`` is called when its bytes were hashed and before they move, from when on only
        the blob shows that they came.
        """
        path = self.incoming(name)
        with self.verified_incoming(name, sha256):
            if verified is not None:
                verified()
            self._adopt(path, hex_digest(sha256))
        path.unlink(missing_ok=True)

    def delete(self, sha256: str) -> None:
        """Remove a blob; one that is not there is no error."""
        self.backend.delete(hex_digest(sha256))

    def listing(self) -> Iterator[Stored]:
        """Yield every blob with its size and when it was written."""
        for blob in self.backend.listing():
            with suppress(ValueError):  # somebody else's file
                hex_digest(blob.sha256)
                yield blob

    def abandon(self, before: datetime) -> int:
        """Drop what unfinished writes left in the backend before that time."""
        return self.backend.abandon(before)

    def _adopt(self, source: Path, digest: str) -> None:
        self._claim(digest)
        self.backend.adopt(source, digest)

    def _fetched(self, stream: BufferedReader) -> BufferedReader:
        """Return the bytes of a checking stream as a file without a name."""
        folder = self.root / "incoming"
        make_folder(folder)
        with stream, room(), tempfile.NamedTemporaryFile(dir=folder, prefix="get_") as file:
            shutil.copyfileobj(stream, file, PIECE)
            file.flush()
            return Path(file.name).open("rb")
