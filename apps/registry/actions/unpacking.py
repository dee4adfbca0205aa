"""Unpacking an uploaded archive: each file becomes a blob of its own."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from apps.registry import rules
from apps.registry.errors import ArchiveRefused
from apps.registry.models import Upload
from apps.registry.store import Store, room
from placet.kernel.config import config
from placet.kernel.problems import FieldError
from placet_verify import archive

MAX_FILES = 2000


@dataclass(frozen=True, slots=True)
class Blob:
    """A file that lies in the store and is to become part of a version."""

    path: str
    size: int
    sha256: str


def unpack(upload: Upload, blobs: Store) -> list[Blob]:
    """Put every file of a complete archive into the store, sorted by path.

    Where all of them lie in one folder, that folder is left out of their paths: tools that pack
    a folder put it there. Raises :class:`ArchiveRefused`; nothing of the archive is kept.
    """
    limits = archive.Limits(files=MAX_FILES, total_bytes=config().max_artifact_bytes)
    source = blobs.incoming(upload.pk)
    with (
        blobs.verified_incoming(upload.pk, upload.sha256),
        tempfile.TemporaryDirectory(prefix="unpack_", dir=source.parent) as name,
    ):
        folder = Path(name) / "content"
        try:
            with room():
                found = archive.extract(source, folder, limits)
        except archive.ArchiveRefused as error:
            raise ArchiveRefused(f"{upload.path}: {error.sentence}") from None
        names = _names(upload, [file.path for file in found])
        return [
            Blob(path, *_kept(blobs, folder / file.path, file.sha256))
            for path, file in sorted(zip(names, found, strict=True), key=lambda pair: pair[0])
        ]


def _names(upload: Upload, names: list[str]) -> list[str]:
    """Return the paths in the artifact of an archive's files, or refuse them."""
    if not names:
        raise ArchiveRefused(f"{upload.path} holds no files")
    top = names[0].split("/")[0] + "/"
    if all(name.startswith(top) for name in names):
        names = [name.removeprefix(top) for name in names]
    errors = [f for name in names for f in rules.path_faults(name, f"/archive/{name[:200]}")]
    if errors:
        detail = f"{upload.path} holds a name that is refused"
        raise ArchiveRefused(detail, errors=list[FieldError](errors[:20]))
    return names


def _kept(blobs: Store, path: Path, sha256: str) -> tuple[int, str]:
    digest, size = blobs.put_file(path, expected=sha256)
    return size, digest
