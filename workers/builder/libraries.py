"""Tells which packages of a runtime bring the modules that load files, by what was installed.

A package's name may be any (``ort-nightly`` is ONNX Runtime too), so each is asked what it brought.
Runs in a sandbox: what packages left about themselves is of any size and form.

Usage: python -m workers.builder.libraries RUNTIME ANSWER MODULE…
"""

import csv
import json
import sys
from collections.abc import Iterator, Set
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import cast

NAMES = ("Name", "Version")
UNSAID = "?"
SITES = "lib*/python*/site-packages"


def libraries(runtime: Path, modules: Set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield name, version and module of each package that brings one of ``modules``, and of each
    module that is there all the same. Raise ``ValueError`` where a runtime has no packages at all.
    """
    sites = sorted({site.resolve() for site in runtime.glob(SITES)})  # lib64 may be lib
    if not sites:
        raise ValueError("the runtime has no folder of packages")
    for site in sites:
        next(site.iterdir(), None)  # raises of one that cannot be read: ``distributions`` is empty
        told = set()
        for package in distributions(path=[str(site)]):
            for module in sorted(_brings(package.read_text("RECORD") or "") & modules):
                told.add(module)
                about = cast("Message", package.metadata)  # of which it has no word of its own
                name, version = (about.get(word, UNSAID) for word in NAMES)
                yield name, version, module
        for module in sorted(modules - told):
            if any(site.glob(f"{module}.*")) or (site / module).exists():
                yield UNSAID, UNSAID, module


def _brings(record: str) -> set[str]:
    """Return the top-level names of a package's list of files, of which each is told from its own
    folder of packages, or through another one."""
    names = (normpath(row[0]) for row in csv.reader(record.splitlines()) if row)
    paths = (PurePosixPath(name.rpartition("/site-packages/")[2]) for name in names)
    return {path.parts[0].partition(".")[0] for path in paths if path.parts}


def main(runtime: Path, answer: Path, *modules: str) -> int:
    """Write the list."""
    answer.write_text(json.dumps([*libraries(runtime, {*modules})]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
