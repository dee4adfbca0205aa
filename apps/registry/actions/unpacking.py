"""Unpacking an uploaded archive: each file becomes a blob of its own."""

import tempfile
from collections.abc import Callable
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
class UnpackedFile:
    """Bytes in the store, or on their way there, that are to become a file of a version."""

    path: str
    size: int
    sha256: str


def unpack(
    upload: Upload, blobs: Store, allow: Callable[[list[UnpackedFile]], None]
) -> list[UnpackedFile]:
    """Put every file of a complete archive into the store, sorted by path.

    Where all of them lie in one folder, that folder is left out of their paths: tools that pack
    a folder put it there. Raises :class:`ArchiveRefused`, or what ``allow`` raises, which is asked
    when the files are known; nothing of the archive is kept.
    """
    limits = archive.ArchiveLimits(files=MAX_FILES, total_bytes=config().max_artifact_bytes)
    source = blobs.incoming(upload.pk)
    with (
        blobs.verified_incoming(upload.pk, upload.sha256),
        tempfile.TemporaryDirectory(prefix="unpack_", dir=source.parent) as name,
    ):
        folder = Path(name) / "content"
        try:
            with room():
                extracted = archive.extract(source, folder, limits)
        except archive.ArchiveRefused as error:
            raise ArchiveRefused(f"{upload.path}: {error.sentence}") from None
        names = _names(upload, [file.path for file in extracted])
        files = sorted(zip(names, extracted, strict=True), key=lambda pair: pair[0])
        unpacked = [UnpackedFile(path, file.size, file.sha256) for path, file in files]
        allow(unpacked)
        for _, file in files:
            blobs.put_file(folder / file.path, expected=file.sha256)
        return unpacked


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
