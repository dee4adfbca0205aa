"""``bentoml build`` in the sandbox, and the Bento that is kept of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from placet_verify.archive import ArchiveRefused, pack
from workers.builder import bentoml_project
from workers.builder.assembly import assemble
from workers.builder.causes import cause
from workers.builder.errors import BuildCancelled, BuildFailed
from workers.builder.generate import bento_name, bento_version, entry
from workers.builder.package_index import uv_program
from workers.builder.runtimes import RuntimeCache
from workers.builder.sandbox import Limits, Sandbox
from workers.builder.spec import BuildSpec
from workers.builder.untrusted_files import told_by


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

    @property
    def bento(self) -> Path:
        """The Bento that is kept."""
        return self.root / "bento"

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
) -> None:
    """Run ``bentoml build`` and put the Bento that is kept into ``workplace.bento``."""
    result = runtimes.sandbox.run(
        [
            *(str(runtimes.python(runtime)), "-m", "bentoml", "build"),
            *("--output", "tag", "--version", bento_version(spec), str(workplace.project)),
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
    _keep(spec, workplace, lock, runtimes.sandbox, cancelled)


def _keep(
    spec: BuildSpec,
    workplace: Workplace,
    lock: str,
    sandbox: Sandbox,
    cancelled: Callable[[], bool],
) -> None:
    """Put the Bento that is kept together, and look at what BentoML says of it."""
    built = PurePosixPath(workplace.home.name, "bentos", bento_name(spec), bento_version(spec))
    project, included = workplace.project, None
    if spec.own:
        included = bentoml_project.included(project, sandbox, cancelled)
    assemble(workplace.root, built, project, workplace.bento, lock, included=included)
    hold_manifest(workplace.bento, entry(spec), sandbox, cancelled)


def hold_manifest(
    bento: Path, service: str, sandbox: Sandbox, cancelled: Callable[[], bool]
) -> None:
    """Refuse a Bento that starts anything but ``service``, or wants more than the build file said:
    its source, and the packages that it imports, ran while BentoML wrote that down."""
    try:
        answer = told_by(
            "workers.builder.manifest",
            bento,
            sandbox,
            Limits(memory_mb=1024, seconds=30, disk_mb=64),
            service,
            name="reading it",
            cancelled=cancelled,
        )
        parts = [str(name)[:60] for name in json.loads(answer)][:20]
    except (OSError, ValueError, TypeError, RecursionError):
        raise BuildFailed("bentoml build left a bento.yaml that cannot be read") from None
    if parts:
        raise BuildFailed(
            f"The Bento asks for what its build file does not say ({', '.join(parts)}): Placet "
            "installs nothing of the system, takes packages from the build file and variables "
            "from the release, and starts the service itself"
        )


def export(workplace: Workplace, archive: Path) -> None:
    """Write the Bento as an archive whose digest depends on names and contents alone."""
    try:
        pack(workplace.bento, archive)
    except ArchiveRefused as error:
        raise BuildFailed(f"The Bento cannot be packed: {error}") from None
