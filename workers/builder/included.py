"""Tells which files of a BentoML project its build file puts into the Bento, by BentoML's rules.

Runs in a sandbox of its own: patterns are the author's, and a pattern may take for ever. BentoML's
own answer is not asked for, since the version's source runs beside it.

Usage: python -m workers.builder.included PROJECT ANSWER
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from pathspec import PathSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

IGNORE_FILE = ".bentoignore"  # in any folder, for what is below it
NEVER = (".git/", ".venv/", "venv/", "__pycache__/", ".DS_Store")


def included(project: Path) -> Iterator[str]:
    """Yield the paths of the files that go in, as ``include``, ``exclude`` and ``.bentoignore``
    say (BentoML 1.4.40, ``BentoPathSpec``)."""
    told = json.loads((project / "bentofile.yaml").read_text("utf-8"))  # which Placet wrote
    wanted, unwanted = _spec(told["include"]), _spec([*told["exclude"], *NEVER])
    paths = sorted(_files(project))
    ignored = [
        (path.parent, _spec((project / path).read_text("utf-8").split("\n")))  # and at nothing else
        for path in paths
        if path.name == IGNORE_FILE
    ]
    for path in paths:
        if wanted.match_file(path) and not unwanted.match_file(path):
            above = ((at, spec) for at, spec in ignored if path.is_relative_to(at))
            if not any(spec.match_file(path.relative_to(at)) for at, spec in above):
                yield str(path)


def _spec(lines: Iterable[str]) -> PathSpec[GitIgnoreSpecPattern]:
    return PathSpec.from_lines(GitIgnoreSpecPattern, lines)


def _files(project: Path) -> Iterator[PurePosixPath]:
    for folder, _, names in os.walk(project):
        above = PurePosixPath(folder).relative_to(project)
        yield from (above / name for name in names)


def main(project: Path, answer: Path) -> int:
    """Write the list."""
    answer.write_text(json.dumps([*included(project)]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
