"""What a version's files are: recognised by name and read as data. Nothing here unpickles.

A format is a module with a ``FORMAT``. Whoever asks something of formats reads these records.
"""

import pkgutil
from importlib import import_module
from typing import NoReturn

from apps.registry.errors import FormatUnknown
from apps.registry.formats.base import Derived, Files, Format
from apps.registry.formats.column_checks import usable
from placet.kernel.problems import FieldError

__all__ = ["ACCELERABLE", "FORMATS", "PROJECTS", "Derived", "Files", "Format", "derive", "detect"]

_MODULES = [import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
_FOUND: list[Format] = [module.FORMAT for module in _MODULES if hasattr(module, "FORMAT")]
# By name: files first, then folders, as sentences list them.
FORMATS: dict[str, Format] = {
    kind.name: kind
    for kind in sorted(_FOUND, key=lambda kind: (kind.project, bool(kind.root), kind.name))
}
ACCELERABLE = tuple(kind.name for kind in FORMATS.values() if kind.onnx)
PROJECTS = tuple(kind.name for kind in FORMATS.values() if kind.project)


def detect(files: Files) -> str:
    """Return the name of the format of ``files``. Raises :class:`FormatUnknown`, saying why."""
    folders = _candidates(files, folders=True)
    if len(folders) > 1:
        names = " and ".join(kind.title for kind, _ in folders)
        _refuse(f"It cannot be both {names} ({', '.join(path for _, path in folders)})")
    candidates = folders or _candidates(files, folders=False)
    if len(candidates) == 1:
        return candidates[0][0].name
    if candidates:
        names = ", ".join(sorted(path for _, path in candidates))
        _refuse(f"Several files could be the model ({names}): keep one of them")
    roots = tuple(f"/{kind.root}" for kind in FORMATS.values() if kind.root)
    nested = [path for path in files.sizes if path.endswith(roots)]
    if nested:
        _refuse(f"{nested[0]} lies in a folder: upload the folder's content itself")
    *others, last = [kind.upload for kind in FORMATS.values()]
    return _refuse(f"No model file found: upload {', '.join(others)}, or {last}")


def derive(name: str, files: Files) -> Derived:
    """Return what the files of format ``name`` say about themselves, as far as an author could."""
    kind = FORMATS[name]
    return usable(kind.derive(files), lambda: kind.candidates(files)[0])


def _candidates(files: Files, *, folders: bool) -> list[tuple[Format, str]]:
    return [
        (kind, path)
        for kind in FORMATS.values()
        if bool(kind.root) == folders
        for path in kind.candidates(files)
    ]


def _refuse(detail: str) -> NoReturn:
    raise FormatUnknown(detail, errors=[FieldError("/files", detail)])
