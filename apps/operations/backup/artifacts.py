"""The artifacts' share: copied and hashed, or checked where they lie."""

import json
import os
import shutil
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path

from apps.operations.backup.manifest import BLOBS, BackupRefused
from apps.registry.errors import BlobCorrupt, BlobMissing
from apps.registry.store import Store

FOLDER = "artifacts"


def copy_out(store: Store, blobs: Mapping[str, int | None], folder: Path | None) -> int:
    """Read and hash every blob; copy it below ``folder`` unless that is ``None``.

    Returns how many bytes there are. Raises when one is missing or damaged: a backup that cannot
    be restored is none.
    """
    total = 0
    for digest in sorted(blobs):
        try:
            with store.open_verified(digest) as stream:
                total += _copy(stream, _place(folder, digest) if folder else None)
        except (BlobMissing, BlobCorrupt) as fault:
            raise BackupRefused(f"{fault}: mend it first (upload or build it again)") from None
    return total


def copy_in(store: Store, folder: Path, copied: bool) -> int:
    """Put every blob of a backup into the store, or check that it is there; return how many."""
    digests: list[str] = json.loads((folder / BLOBS).read_text())
    for digest in digests:
        if copied:
            path = _place(folder / FOLDER, digest)
            if not path.is_file():
                raise BackupRefused(f"{path} is missing from the backup")
            store.put_file(path, expected=digest)
            continue
        try:
            store.open_verified(digest).close()
        except (BlobMissing, BlobCorrupt) as fault:
            raise BackupRefused(f"{fault}; the backup holds no copies of artifacts") from None
    return len(digests)


def _place(folder: Path, digest: str) -> Path:
    return folder / digest[:2] / digest


def _copy(stream: BufferedReader, target: Path | None) -> int:
    if target is None:
        return stream.seek(0, os.SEEK_END)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
        return copy.tell()
