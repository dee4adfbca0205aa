"""``bentoml build`` in the sandbox, and the deterministic archive of what it made."""

import io
import stat
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from placet_agent.downloads.leftovers import remove
from workers.builder import own_files
from workers.builder.causes import cause
from workers.builder.errors import BuildCancelled, BuildFailed
from workers.builder.generate import bento_name, bento_version
from workers.builder.package_index import uv_program
from workers.builder.runtimes import RuntimeCache
from workers.builder.sandbox import Limits
from workers.builder.spec import BuildSpec
from workers.builder.trees import TooMuch, walk
from workers.builder.untrusted_files import is_inside

ADDRESS_OPTIONS = (
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "--trusted-host",
    "--no-index",
)


@dataclass(frozen=True, slots=True)
class Workplace:
    """The folders of one build."""

    root: Path
    own: bool = False  # the version is a BentoML project: its files become the project itself

    @property
    def project(self) -> Path:
        """The BentoML project."""
        return self.root / "project"

    @property
    def artifact(self) -> Path:
        """The version's files: inside the project, or beside it when they make it."""
        return self.root / "files" if self.own else self.project / "artifact"

    @property
    def home(self) -> Path:
        """The ``BENTOML_HOME`` of this build alone."""
        return self.root / "bentoml"

    def make(self) -> None:
        """Make the folders."""
        self.project.mkdir(parents=True)
        self.artifact.mkdir()
        self.home.mkdir()


def environment(workplace: Workplace) -> dict[str, str]:
    """Return the variables that BentoML gets."""
    return {
        "BENTOML_HOME": str(workplace.home),
        "BENTOML_DO_NOT_TRACK": "true",
        "PATH": f"{uv_program().parent}:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "UV_OFFLINE": "1",
    }


def build(
    spec: BuildSpec,
    workplace: Workplace,
    runtimes: RuntimeCache,
    runtime: str,
    lock: str,
    *,
    log: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Path:
    """Run ``bentoml build`` and return the folder of the Bento."""
    version = bento_version(spec)
    ours = own_files.written(workplace.project, own=spec.own)
    result = runtimes.sandbox.run(
        [
            *(str(runtimes.python(runtime)), "-m", "bentoml", "build"),
            *("--output", "tag", "--version", version, str(workplace.project)),
        ],
        binds_ro=[runtimes.folder(runtime), uv_program(), workplace.project],
        binds_rw=[workplace.home],
        env=environment(workplace),
        limits=Limits(memory_mb=spec.memory_mb, seconds=spec.seconds),
        cancelled=cancelled,
        on_line=log,
        cwd=workplace.project,
        workplace=workplace.root,
    )
    if result.reason == "cancelled":
        raise BuildCancelled
    if not result.ok:
        reason = cause(result.tail) if result.reason == "exited" else ""
        raise BuildFailed(
            f"bentoml build failed: {reason}" if reason else result.sentence("bentoml build")
        )
    folder = workplace.home / "bentos" / bento_name(spec) / version
    if not is_inside(folder, workplace.root) or not (folder / "bento.yaml").is_file():
        raise BuildFailed("bentoml build left no Bento behind")
    own_files.hold(folder, ours)
    _own_lock(folder, lock)
    return folder


def _own_lock(folder: Path, lock: str) -> None:
    """Put the lock with hashes where BentoML keeps its own, which has neither, and no address.

    Nodes read it: whatever the service's source put in its place goes.
    """
    python = folder / "env" / "python"
    if not python.is_dir() or not is_inside(python, folder):
        raise BuildFailed("The Bento has no folder env/python")
    for name in ("requirements.txt", "requirements.in", "requirements.lock.txt"):
        remove(python / name)
    with (python / "requirements.txt").open("x", encoding="utf-8") as stream:
        stream.write(without_addresses(lock))


def without_addresses(text: str) -> str:
    """Return a requirements text without the options that name an index."""
    kept = [
        line
        for line in text.splitlines()
        if line.strip().split("=")[0].split(" ")[0] not in ADDRESS_OPTIONS
    ]
    return "\n".join(kept) + "\n"


def pack(folder: Path, archive: Path) -> None:
    """Write ``folder`` as a tar that depends on names and contents alone.

    What stands in the folder was written by code that is not trusted: anything but plain files
    and folders fails the build.
    """
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, mode in _listed(folder):
            path, entry = folder / name, tarfile.TarInfo(name)
            if stat.S_ISDIR(mode):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            elif stat.S_ISREG(mode):
                _add_file(tar, entry, path)
            else:
                raise BuildFailed(f"The Bento holds {entry.name!r}, which is no file and no folder")


def _listed(folder: Path) -> list[tuple[str, int]]:
    try:
        return sorted((entry.path, entry.found.st_mode) for entry in walk(folder))
    except TooMuch as error:
        raise BuildFailed(f"The Bento holds {error}") from None


def _add_file(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    with path.open("rb") as stream:
        stream.seek(0, io.SEEK_END)
        entry.size, entry.mode = stream.tell(), 0o644
        stream.seek(0)
        tar.addfile(entry, stream)
