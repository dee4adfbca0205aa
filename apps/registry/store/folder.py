"""Blobs in a folder: ``<root>/sha256/ab/abcdef…``, read-only, there only when complete."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from apps.registry.errors import BlobMissing
from apps.registry.store.backend import Stored
from apps.registry.store.disk import make_folder, room, sync_folder
from placet.kernel.faults import crash_point


class BlobFolder:
    """A folder of blobs, on this machine or mounted by every process of the platform."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def local(self, digest: str) -> Path:
        """Return where the blob lies, whether it is there or not."""
        return self.root / "sha256" / digest[:2] / digest

    def exists(self, digest: str) -> bool:
        """Tell whether the blob is there."""
        return self.local(digest).is_file()

    def open(self, digest: str) -> BufferedReader:
        """Open the blob without looking at its bytes."""
        try:
            return self.local(digest).open("rb")
        except FileNotFoundError:
            raise BlobMissing(f"The artifact store does not hold {digest}") from None

    def adopt(self, source: Path, digest: str) -> None:
        """Make the complete file ``source`` the blob ``digest``: on disk first, then renamed."""
        target = self.local(digest)
        with room():
            make_folder(target.parent)
            with source.open("rb") as file:
                os.fsync(file.fileno())
                # An upload whose server dies before the rename is opened for writing again: by
                # another user of the group, where one sweeps what was given up.
                os.fchmod(file.fileno(), 0o664)
                crash_point("registry.before_blob_rename")
                source.replace(target)
                crash_point("registry.after_blob_rename")
                os.fchmod(file.fileno(), 0o444)
            sync_folder(target.parent)

    def delete(self, digest: str) -> None:
        """Remove the blob."""
        self.local(digest).unlink(missing_ok=True)

    def listing(self) -> Iterator[Stored]:
        """Yield every blob, folder by folder."""
        for path in sorted(self.root.glob("sha256/??/*")):
            with suppress(FileNotFoundError):
                status = path.stat()
                modified = datetime.fromtimestamp(status.st_mtime, tz=UTC)
                yield Stored(path.name, status.st_size, modified)

    def abandon(self, before: datetime) -> int:
        """Nothing is ever half-written here: files come by renaming."""
        return 0
