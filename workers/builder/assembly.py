"""Puts the Bento together that is kept, in a folder that no program in a sandbox writes to.

``bentoml build`` imports the service, so code of the version and of the packages it requires runs
while a Bento is made, and may write into it; another program serves it in the smoke test. So the
source in the Bento that people approve is the worker's own: what was fetched, hashed and scanned,
and what Placet wrote beside it. Of BentoML's Bento only its description is taken.
"""

import os
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from workers.builder.errors import BuildFailed
from workers.builder.untrusted_files import read_below

SOURCE, MANIFEST = "src", "bento.yaml"
# What tells people of a Bento; how to make an image of it is in its manifest, which is looked at
DESCRIPTION = ("README.md", "apis/openapi.yaml", "apis/schema.json")
MAX_DESCRIPTION = 4 * 1024**2  # bytes of a file
LOCK = "env/python/requirements.txt"  # nodes read it; BentoML's own has no hashes
COMPILED = "__pycache__"
ADDRESS_OPTIONS = (
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "--trusted-host",
    "--no-index",
)


def assemble(
    root: Path,
    built: PurePosixPath,
    project: Path,
    target: Path,
    lock: str,
    *,
    included: Collection[str] | None = None,
) -> None:
    """Make the Bento ``target`` of what BentoML left in the folder ``built`` of ``root``, and of
    the project it was made from, whose files become links: both lie on one disk.

    ``included`` are the names in the project that go in; all of them where it is ``None``. Raises
    ``BuildFailed`` where BentoML left no description, or one that is no plain file.
    """
    if (told := _read(root, built, MANIFEST)) is None:
        raise BuildFailed("bentoml build left no Bento behind")
    _write(target / MANIFEST, told)
    for name in DESCRIPTION:
        if (told := _read(root, built, name)) is not None:
            _write(target / name, told)
    _write(target / LOCK, without_addresses(lock).encode())
    _link(project, target / SOURCE, included)


def _read(root: Path, built: PurePosixPath, name: str) -> bytes | None:
    try:
        return read_below(root, built / name, MAX_DESCRIPTION)
    except FileNotFoundError:
        return None
    except OSError:
        raise BuildFailed(
            f"The Bento's {name} is no plain file, or has more than {MAX_DESCRIPTION >> 20} MiB"
        ) from None


def _write(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


def _link(project: Path, target: Path, included: Collection[str] | None) -> None:
    """Link the project's files; no compiled ones, which Python runs in place of what people read,
    and which BentoML leaves out as well."""
    for file in project.rglob("*"):
        name = file.relative_to(project)
        is_chosen = included is None or str(name) in included
        if file.is_file() and is_chosen and COMPILED not in name.parts:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target / name)


def without_addresses(text: str) -> str:
    """Return a requirements text without the options that name an index."""
    kept = [
        line
        for line in text.splitlines()
        if line.strip().split("=")[0].split(" ")[0] not in ADDRESS_OPTIONS
    ]
    return "\n".join(kept) + "\n"
