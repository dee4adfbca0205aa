"""``manifest.json``: what a backup holds, with the digest of every file and the log's root."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

MANIFEST, DATABASE, BLOBS = "manifest.json", "database.dump", "blobs.json"


class BackupRefused(Exception):
    """A backup or restore that cannot be done; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. ``copied`` tells whether the artifacts lie in it, or in their bucket."""

    made_at: str
    size: int  # events of the log
    root: str  # hex
    root_key: str  # the id of the installation's root key
    checkpoint: str  # the newest signed note
    copied: bool
    blobs: int
    blob_bytes: int
    files: dict[str, str] = field(default_factory=dict)  # name → SHA-256
    v: int = 1

    def write(self, folder: Path) -> str:
        """Write it, last of all files; return its own SHA-256."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        (folder / MANIFEST).write_text(text)
        return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest and check the digest of each file that it names."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BackupRefused(f"{folder} holds no {MANIFEST}: it is no backup, or an unfinished one")
    try:
        manifest = Manifest(**json.loads(path.read_text()))
    except (ValueError, TypeError):
        raise BackupRefused(f"{path} cannot be read: it was changed or cut") from None
    if manifest.v != 1:
        raise BackupRefused(f"{path} is of version {manifest.v}; this release reads version 1")
    for name in (DATABASE, BLOBS):
        if not (folder / name).is_file() or file_digest(folder / name) != manifest.files.get(name):
            raise BackupRefused(f"{folder / name} is missing or not what the manifest says")
    return manifest


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
