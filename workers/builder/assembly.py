"""Puts the Bento together that is kept, in a folder that no program in a sandbox writes to.

``bentoml build`` imports the service, so code of the version and of the packages it requires runs
while a Bento is made, and may write into it; another program serves it in the smoke test. So the
source in the Bento that people approve is the worker's own: what was fetched, hashed and scanned,
and what Placet wrote beside it. Of BentoML's Bento only its description is taken.
"""

import os
import stat
from pathlib import Path

from workers.builder.errors import BuildFailed
from workers.builder.trees import TooMuch, walk
from workers.builder.untrusted_files import read_plain

SOURCE, MANIFEST = "src", "bento.yaml"
DESCRIPTION = frozenset({MANIFEST, "README.md", "apis", "env"})  # what BentoML writes itself
COMPILED = "__pycache__"
LOCK, LOCKS = "env/python/requirements.txt", "env/python/requirements."  # .in, .lock.txt
MAX_DESCRIPTION = 4 * 1024**2  # bytes of a file
ADDRESS_OPTIONS = (
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "--trusted-host",
    "--no-index",
)


def assemble(built: Path, project: Path, target: Path, lock: str, *, own: bool) -> None:
    """Make the Bento ``target`` of what BentoML left in ``built`` and of the project it was made
    from, whose files become links: both lie on one disk.

    With ``own`` the build file chose what of the project goes in: what BentoML left out stays out.
    Raises ``BuildFailed`` for a Bento with more in it than BentoML writes.
    """
    target.mkdir()
    try:
        _put_description(built, target)
        _put_source(project, target / SOURCE, built / SOURCE if own else None)
    except TooMuch as error:
        raise BuildFailed(f"The Bento holds {error}") from None
    _put_lock(target / LOCK, lock)


def _put_description(built: Path, target: Path) -> None:
    for entry in walk(built):
        top = entry.path.partition("/")[0]
        if top != SOURCE and top not in DESCRIPTION:
            raise BuildFailed(
                f"The Bento holds {ascii(top)[1:-1][:80]}, which BentoML does not write: the "
                "service's source, or a package, writes it while it is built"
            )
        if top == SOURCE or entry.path.startswith(LOCKS):
            continue
        if entry.is_folder:
            (target / entry.path).mkdir()
        else:
            (target / entry.path).write_bytes(_read(built, entry.path))


def _read(built: Path, name: str) -> bytes:
    try:
        return read_plain(built / name, MAX_DESCRIPTION)
    except OSError:
        raise BuildFailed(
            f"The Bento's {ascii(name)[1:-1][:80]} is no plain file, or has more than "
            f"{MAX_DESCRIPTION >> 20} MiB"
        ) from None


def _put_source(project: Path, target: Path, chosen: Path | None) -> None:
    """Link the project's files; no compiled ones, which Python runs in place of what people read,
    and which BentoML leaves out as well."""
    for entry in walk(project):
        left_out = chosen is not None and not os.path.lexists(chosen / entry.path)
        if (
            stat.S_ISREG(entry.found.st_mode)
            and not left_out
            and COMPILED not in entry.path.split("/")
        ):
            path = target / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(project / entry.path, path)


def _put_lock(path: Path, lock: str) -> None:
    """Put the lock with hashes, which nodes read, where BentoML keeps its own, which has none."""
    if not path.parent.is_dir():
        raise BuildFailed("The Bento has no folder env/python")
    path.write_text(without_addresses(lock), encoding="utf-8")


def without_addresses(text: str) -> str:
    """Return a requirements text without the options that name an index."""
    kept = [
        line
        for line in text.splitlines()
        if line.strip().split("=")[0].split(" ")[0] not in ADDRESS_OPTIONS
    ]
    return "\n".join(kept) + "\n"
