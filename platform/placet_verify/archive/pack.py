"""Packing a folder so that equal content gives equal bytes."""

import os
import tarfile
from pathlib import Path

from placet_verify import canonical
from placet_verify.archive.names import ArchiveNames, ArchiveRefused, shown


def pack(folder: str | Path, out: str | Path) -> str:
    """Write ``folder`` as an uncompressed tar to ``out`` and return its digest, ``sha256:…``.

    Members are sorted by name, times and owners are zero, modes 0644 or 0755: the digest depends
    on names, content and the executable bit alone. Links and special files are refused, and so is
    every name that :func:`extract` would refuse.
    """
    root, names = Path(folder), ArchiveNames()
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(_members(root)):
            _add(archive, root / name, name, names)
    return canonical.sha256_file(out)


def _members(root: Path) -> list[str]:
    names = []
    for parent, folders, files in os.walk(root):
        for name in (*folders, *files):
            names.append((Path(parent) / name).relative_to(root).as_posix())
    return names


def _add(archive: tarfile.TarFile, path: Path, name: str, names: ArchiveNames) -> None:
    info = tarfile.TarInfo(name)
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        raise ArchiveRefused("link", f"{shown(name)} is a link or a special file")
    if path.is_dir():
        names.add_folder(name)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(info)
        return
    names.add_file(name)
    status = path.stat()
    info.mode, info.size = (0o755 if status.st_mode & 0o100 else 0o644), status.st_size
    with path.open("rb") as stream:
        archive.addfile(info, stream)
