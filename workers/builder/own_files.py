"""The files that the worker writes beside a version's own: a Bento holds them as they are.

``bentoml build`` imports the service, so code of the version runs while the Bento is made, and may
write into it. Nodes read ``placet.json`` outside any sandbox, and believe it.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from apps.registry.formats.bento_project import BENTOFILE
from workers.builder.errors import BuildFailed
from workers.builder.untrusted_files import is_inside, open_plain

OURS = re.compile(r"placet[_.].*")


@dataclass(frozen=True, slots=True)
class OwnFile:
    """What a file of the worker's own holds."""

    size: int
    sha256: str


def written(project: Path, *, own: bool) -> dict[str, OwnFile]:
    """Return the worker's own files at the root of a project, by name.

    To be asked before code of the version runs. With ``own`` the version's files stand there too;
    their names never begin as ours do. BentoML writes a build file of its own into the Bento.
    """
    names = [path.name for path in project.iterdir() if path.is_file()]
    ours = [name for name in names if not own or OURS.fullmatch(name)]
    return {
        name: _read(project / name, (project / name).lstat().st_size)
        for name in sorted(ours)
        if name != BENTOFILE
    }


def hold(bento: Path, files: dict[str, OwnFile]) -> None:
    """Refuse a Bento in which ``files`` are not as they were written, or something shadows them.

    Refused, not mended: no honest build changes them, and what else it changed nobody knows.
    """
    source = bento / "src"
    if not source.is_dir() or not is_inside(source, bento):
        raise BuildFailed("The Bento has no folder src")
    for name, file in files.items():
        try:
            found = _read(source / name, file.size)
        except OSError:  # none, a folder or link in its place, or a longer one
            found = None
        if found != file:
            raise BuildFailed(
                f"The Bento's src/{name} is not the file that Placet wrote: the service's source "
                "changes it while it is built, or its build file leaves it out"
            )
    _refuse_shadows(source, files)


def _refuse_shadows(source: Path, files: dict[str, OwnFile]) -> None:
    """Refuse what Python would import in the place of a module of ours, as it is or compiled."""
    modules = {Path(name).stem for name in files if name.endswith(".py")}
    compiled = source / "__pycache__"
    for folder in (source, compiled) if compiled.is_dir() else (source,):
        for name in (path.name for path in folder.iterdir()):
            stands_in = OURS.fullmatch(name) or name.partition(".")[0] in modules
            if stands_in and (folder == compiled or name not in files):
                raise BuildFailed(
                    f"The Bento's src/{ascii(name)[1:-1][:80]} has a name that belongs to "
                    "Placet: the service's source writes it while it is built"
                )


def _read(path: Path, size: int) -> OwnFile:
    with open_plain(path, size) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return OwnFile(stream.tell(), digest)
