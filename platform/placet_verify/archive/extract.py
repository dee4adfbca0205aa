"""The one way an archive is unpacked."""

import tarfile
from dataclasses import replace
from pathlib import Path

from placet_verify.archive.names import ArchiveRefused
from placet_verify.archive.output import ArchiveLimits, Budget, ExtractedFile, OutputFolder
from placet_verify.archive.streams import kind_of, open_tar
from placet_verify.archive.tars import extract_tar
from placet_verify.archive.zips import extract_zip

__all__ = ["ArchiveLimits", "extract"]

_DEFAULT = ArchiveLimits()


def extract(
    path: str | Path,
    destination: str | Path,
    limits: ArchiveLimits = _DEFAULT,
    *,
    max_files: int | None = None,
    max_bytes: int | None = None,
) -> list[ExtractedFile]:
    """Unpack ``path`` into ``destination``, which must be empty or absent; files sorted by path.

    Raises ``ArchiveRefused`` for anything but plain files and folders with plain names within the
    limits; whatever was written by then is removed. ``max_files`` and ``max_bytes`` replace the
    limits of those names.
    """
    source = Path(path)
    if max_files is not None:
        limits = replace(limits, files=max_files)
    if max_bytes is not None:
        limits = replace(limits, total_bytes=max_bytes)
    kind = kind_of(source)
    output = OutputFolder(Path(destination))
    output.open()
    try:
        _unpack(source, kind, output, Budget(limits, source.stat().st_size))
    except BaseException:
        output.discard()
        raise
    return sorted(output.files, key=lambda file: file.path)


def _unpack(source: Path, kind: str, output: OutputFolder, budget: Budget) -> None:
    try:
        if kind == "zip":
            extract_zip(source, output, budget)
        else:
            with open_tar(source, kind, budget) as reader:
                extract_tar(reader, output, budget)
    except tarfile.TarError as error:
        raise ArchiveRefused("damaged", f"the archive is damaged: {error}") from None
