"""Unpacking an uploaded archive: each file becomes a blob of its own."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from apps.registry import rules
from apps.registry.errors import ArchiveRefused
from apps.registry.models import Upload
from apps.registry.store import Store
from placet.config import config
from placet.kernel.problems import FieldError
from placet_verify.errors import Malformed

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst")
MAX_MEMBERS = 2000


@dataclass(frozen=True, slots=True)
class Blob:
    """A file that lies in the store and is to become part of a version."""

    path: str
    size: int
    sha256: str


def unpack(upload: Upload, blobs: Store) -> list[Blob]:
    """Put every file of a complete archive into the store, sorted by path.

    Where all of them lie in one folder, that folder is left out of their paths, as tools that
    pack a folder put it there. Raises :class:`ArchiveRefused`; nothing of the archive is kept.
    """
    from placet_verify import archive

    with (
        blobs.verified_incoming(upload.pk, upload.sha256),
        tempfile.TemporaryDirectory(prefix="unpack_", dir=blobs.incoming(upload.pk).parent) as name,
    ):
        folder = Path(name) / "content"
        try:
            archive.extract(
                blobs.incoming(upload.pk),
                folder,
                max_files=MAX_MEMBERS,
                max_bytes=config().max_artifact_bytes,
            )
        except Malformed as error:
            raise ArchiveRefused(f"{upload.path}: {error}") from None
        paths = sorted(p for p in folder.rglob("*") if p.is_file())
        return _store_all(upload, blobs, folder, paths)


def _store_all(upload: Upload, blobs: Store, folder: Path, paths: list[Path]) -> list[Blob]:
    names = [path.relative_to(folder).as_posix() for path in paths]
    if not names:
        raise ArchiveRefused(f"{upload.path} holds no files")
    top = names[0].split("/")[0] + "/"
    if all(name.startswith(top) for name in names):
        names = [name.removeprefix(top) for name in names]
    errors: list[FieldError] = []
    for position, name in enumerate(names):
        errors += rules.path_faults(name, f"/archive/{name[:200]}")
        if other := rules.path_conflict(name, names[:position]):
            errors.append(FieldError(f"/archive/{name[:200]}", f"Cannot lie beside {other[:200]}"))
    if errors:
        raise ArchiveRefused(f"{upload.path} holds a name that is refused", errors=errors[:20])
    found: list[Blob] = []
    for name, path in zip(names, paths, strict=True):
        sha256, size = blobs.put_file(path)
        found.append(Blob(name, size, sha256))
    return found
