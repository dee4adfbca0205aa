"""What a wheel may bring, beside its own packages, and what it may not: a Python.

    wheels.py FOLDER    fails, and says the name, where a wheel in there would bring one

A wheel puts files anywhere below a runtime by its ``.data/data`` and ``.data/scripts``. One that
puts ``pyvenv.cfg`` there, or another program by the name of Python, says which files the runtime's
interpreter starts with: they would run wherever it is started. Standard library only: read as a
program in the installer's sandbox, by Pythons from 3.9 on.
"""

import os
import re
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

# What makes a folder a Python of its own: where its library lies, and what starts it.
_OURS = re.compile(
    r"pyvenv\.cfg|bin/(pyvenv\.cfg|pybuilddir\.txt|python[\d.]*t?w?(\._pth)?)(/.*)?"
    r"|lib[^/]*/(python|pypy)[^/]*(/(?!site-packages/).*)?"
)
_PLACES = {"data": "", "scripts": "bin/", "platlib": None, "purelib": None, "headers": None}
_MOST = 65_536  # bytes of a configuration


def brought(names: Iterable[str]) -> "list[str]":
    """Return which of a wheel's files would be taken for a part of a Python."""
    python_files = []
    for name in names:
        root, _, rest = name.partition("/")
        kind, _, path = rest.partition("/")
        if root.endswith(".data") and path and ".." not in path.split("/"):
            folder = _PLACES.get(kind)
            if folder is None or not _OURS.fullmatch(folder + os.path.normpath(path)):
                continue
            python_files.append(name)
        elif ".." in name.split("/") or name.startswith("/"):
            python_files.append(name)
    return python_files


def shape(home: Path) -> "dict[str, str]":
    """Return what makes ``home`` the Python that it is, to be the same when all is installed."""
    contents = {"bin": "a link" if (home / "bin").is_symlink() else "a folder"}
    for path in sorted([*home.iterdir(), *(home / "bin").iterdir()]):
        name = str(path.relative_to(home))
        if name.startswith("lib") or not _OURS.fullmatch(name):
            continue
        if path.is_symlink():
            contents[name] = str(path.readlink())
        elif path.is_file():
            with path.open("rb") as stream:
                contents[name] = stream.read(_MOST).hex()
        else:
            contents[name] = "neither"
    return contents


def main(folder: str) -> None:
    """Look at every wheel in ``folder``."""
    for path in sorted(Path(folder).glob("*.whl")):
        with zipfile.ZipFile(path) as archive:
            if python_files := brought(archive.namelist()):
                sys.exit(f"{path.name} brings a Python of its own: {python_files[0]}")


if __name__ == "__main__":
    main(sys.argv[1])
