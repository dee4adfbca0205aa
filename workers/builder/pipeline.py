"""The build of one version, step by step, without a database.

``fetch → scan → runtime → generate → (accelerate) → build → smoke test → sbom → export``: each step
is timed, may be cancelled between and inside, and leaves nothing behind when it fails.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from apps.registry.errors import BlobCorrupt, BlobMissing
from placet.kernel.faults import crash_point
from placet.kernel.sizes import spell_size
from placet_agent.downloads.leftovers import remove
from placet_verify import canonical
from placet_verify.signing.keys import PrivateKey
from placet_verify.signing.model_signature import SignatureCheck as Signed
from workers.builder import (
    acceleration,
    bento,
    bentoml_project,
    generate,
    provenance,
    scanner,
    smoke,
)
from workers.builder.errors import BuildCancelled, BuildFailed
from workers.builder.runtimes import Blobs, RuntimeCache, RuntimeSpec
from workers.builder.sandbox import Sandbox
from workers.builder.sbom import sbom
from workers.builder.spec import Acceleration, BuildResult, BuildSpec, Scan, Smoke, StoredBlob

PIECE = 1 << 20
StepLog = Callable[[str, str], None]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the worker lends to every build. Keys stay outside the sandbox."""

    store: Blobs
    runtimes: RuntimeCache
    sandbox: Sandbox
    build_key: PrivateKey
    model_key: Path | None = None
    ready_seconds: float = smoke.READY_SECONDS


@dataclass(slots=True)
class Clock:
    """Times the steps and asks before each whether to go on."""

    log: StepLog
    cancelled: IsCancelled
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Run one step; lines logged inside carry its name."""
        if self.cancelled():
            raise BuildCancelled
        started = time.monotonic()
        yield lambda text: self.log(name, text)
        seconds = time.monotonic() - started
        self.timings[name] = round(seconds, 3)
        self.log(name, f"Done in {seconds:.2f} s")
        crash_point(f"builds.after_{name}")


def run(
    spec: BuildSpec,
    *,
    workshop: Workshop,
    workdir: Path,
    log: StepLog,
    cancelled: IsCancelled,
    on_scan: Callable[[Scan], None] = lambda scan: None,
) -> BuildResult:
    """Build ``spec`` in ``workdir`` and return what was made; the folder is removed afterwards.

    ``on_scan`` gets the verdict on the files by themselves as soon as it stands: what is graver
    than safe is worth keeping even when the build fails. Raises :class:`BuildFailed` with words for
    people, or :class:`BuildCancelled`.
    """
    workplace, clock = bento.Workplace(workdir, spec.own), Clock(log, cancelled)
    remove(workdir)
    workplace.make()
    try:
        return _steps(spec, workshop, workplace, clock, on_scan)
    finally:
        remove(workdir)


def _steps(
    spec: BuildSpec,
    workshop: Workshop,
    workplace: bento.Workplace,
    clock: Clock,
    on_scan: Callable[[Scan], None],
) -> BuildResult:
    started_at, cancelled = datetime.now(tz=UTC), clock.cancelled
    with clock.step("fetch") as log:
        fetch(spec, workshop.store, workplace.artifact, log)
        signed = _came_signed(spec, workplace, log)
    with clock.step("scan") as log:
        scan = _scan(workplace, workshop, cancelled, log)
        if scan.finished:
            on_scan(scan)
        _refuse_malicious(scan)
    with clock.step("runtime") as log:
        lock, runtime, refused = _runtime(spec, workshop, cancelled, log)
        scan = _loaded(scan, spec, runtime.digest, workshop, cancelled, log)
    with clock.step("generate") as log:
        log(_generate(spec, workplace, scan))
    faster = _accelerate(spec, workshop, workplace, clock, runtime.digest, refused)
    with clock.step("build") as log:
        bento.build(
            spec, workplace, workshop.runtimes, runtime.digest, lock, log=log, cancelled=cancelled
        )
    with clock.step("smoke") as log:
        tested = smoke.run(
            *(spec, workplace, workshop.runtimes, runtime.digest),
            log=log,
            cancelled=cancelled,
            ready_seconds=workshop.ready_seconds,
            accelerated=faster is not None and faster.verdict == "accelerated",
        )
        log(tested.detail)
        if tested.result == "failed":
            raise BuildFailed(tested.detail)
    parts = _Made(started_at, scan, runtime, tested, faster, signed)
    return _evidence(spec, workshop, workplace, clock, parts)


def _generate(spec: BuildSpec, workplace: bento.Workplace, scan: Scan) -> str:
    """Write the project and return what to say of it."""
    if spec.own:
        bentoml_project.project(spec, workplace.artifact, workplace.project)
        return "The version's own service, with Placet's headers"
    generate.project(spec, workplace.project, scan.types)
    return f"A service for {len(spec.signature['inputs']) if spec.signature else 0} inputs"


def _runtime(
    spec: BuildSpec, workshop: Workshop, cancelled: IsCancelled, log: Callable[[str], None]
) -> tuple[str, RuntimeSpec, str]:
    """Return lock and runtime; when the converters do not fit in, those without, and why."""

    def provide(accelerate: bool) -> tuple[str, RuntimeSpec]:
        lock = workshop.runtimes.resolve(
            spec.requirements,
            spec.format,
            spec.python_version,
            log=log,
            cancelled=cancelled,
            accelerate=accelerate,
        )
        return lock, workshop.runtimes.provide(lock, log=log, cancelled=cancelled)

    refused = ""
    if spec.accelerate:
        try:
            return *provide(True), refused
        except BuildFailed as error:
            refused = f"The converters do not fit beside the requirements: {error}"
            log(refused)
    return *provide(False), refused


def _accelerate(
    spec: BuildSpec,
    workshop: Workshop,
    workplace: bento.Workplace,
    clock: Clock,
    runtime: str,
    refused: str,
) -> Acceleration | None:
    """Try the ONNX form where it was asked for; the original goes on when it does not hold."""
    if not spec.accelerate:
        return None
    with clock.step("accelerate") as log:
        if refused:
            outcome = acceleration.kept(refused)
        else:
            bench = acceleration.Bench(
                spec, workplace, workshop.runtimes, runtime, log, clock.cancelled
            )
            outcome = acceleration.accelerate(bench)
        log(outcome.sentence)
    return outcome


@dataclass(frozen=True, slots=True)
class _Made:
    started_at: datetime
    scan: Scan
    runtime: RuntimeSpec
    tested: Smoke
    faster: Acceleration | None
    signed: Signed | None


def _evidence(
    spec: BuildSpec, workshop: Workshop, workplace: bento.Workplace, clock: Clock, parts: _Made
) -> BuildResult:
    """Carry out the last two steps: what is written and signed about the Bento."""
    with clock.step("sbom") as log:
        document, components = sbom(spec, parts.runtime)
        (workplace.root / "sbom.json").write_bytes(document)
        bill = _keep(workshop.store, workplace.root / "sbom.json")
        log(f"{components} components")
    with clock.step("export") as log:
        archive = workplace.root / "bento.tar"
        bento.export(workplace, archive)
        packed = _keep(workshop.store, archive)
        log(f"sha256:{packed.sha256}, {spell_size(packed.size)}")
        signed = provenance.provenance(
            spec,
            packed,
            parts.runtime,
            bill,
            isolation=workshop.sandbox.isolation,
            started_at=parts.started_at,
            finished_at=datetime.now(tz=UTC),
            key=workshop.build_key,
            acceleration=parts.faster,
        )
        model_signature = _sign_model(spec, workshop, workplace)
    return BuildResult(
        bento=packed,
        runtime=parts.runtime,
        scan=parts.scan,
        smoke=parts.tested,
        sbom=bill,
        components=components,
        provenance=signed,
        model_signature=model_signature,
        isolation=workshop.sandbox.isolation,
        timings=clock.timings,
        acceleration=parts.faster,
        signed=parts.signed,
    )


def _sign_model(spec: BuildSpec, workshop: Workshop, workplace: bento.Workplace) -> str:
    """Return the signature of the version's files, '' when this worker has no key for it."""
    if workshop.model_key is None:
        return ""
    signature = provenance.sign_model(
        workplace.artifact, workshop.model_key, workplace.root / "model.sig"
    )
    provenance.refuse_other_files(spec, signature)
    return signature


def fetch(spec: BuildSpec, store: Blobs, folder: Path, log: Callable[[str], None]) -> None:
    """Copy the version's files out of the store and hash them again on the way."""
    listed = sorted(spec.files, key=lambda file: file.path)
    manifest = [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in listed]
    if canonical.digest(manifest) != spec.artifact_digest:
        raise BuildFailed("The list of files does not match the version's artifact digest")
    for file in listed:
        target = folder / _inside(file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            copied = _copy(store, file.sha256, target)
        except BlobMissing:
            raise BuildFailed(f"The store has no bytes for {file.path}") from None
        except BlobCorrupt:
            copied = None
        if copied != (file.sha256, file.size):
            raise BuildFailed(f"The stored bytes of {file.path} are not those that were uploaded")
    number = "1 file" if len(listed) == 1 else f"{len(listed)} files"
    log(f"{number}, {spell_size(sum(f.size for f in listed))}, hashes agree")


def _came_signed(
    spec: BuildSpec, workplace: bento.Workplace, log: Callable[[str], None]
) -> Signed | None:
    signed = provenance.came_signed(spec, workplace.artifact)
    if signed is not None:
        by = "a key that the project trusts" if signed.result == "trusted" else "an unknown key"
        log(f"model.sig: every file is signed, by {by}")
    return signed


def _inside(path: str) -> PurePosixPath:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\x00" in path:
        raise BuildFailed(f"The file name {path!r} leads out of the artifact")
    return parts


def _copy(store: Blobs, sha256: str, target: Path) -> tuple[str, int]:
    hasher, size = hashlib.sha256(), 0
    with store.open(sha256) as source, target.open("xb") as copy:
        while piece := source.read(PIECE):
            hasher.update(piece)
            size += len(piece)
            copy.write(piece)
    return hasher.hexdigest(), size


def _scan(
    workplace: bento.Workplace,
    workshop: Workshop,
    cancelled: IsCancelled,
    log: Callable[[str], None],
) -> Scan:
    scan = scanner.scan(workplace.artifact, workshop.sandbox, cancelled=cancelled)
    read = "1 file or member" if scan.files == 1 else f"{scan.files} files and members"
    log(f"{scan.verdict}: {read} read, nothing was loaded")
    for finding in scan.findings[:20]:
        log(f"{finding.path} {finding.what}")
    return scan


def _loaded(
    scan: Scan,
    spec: BuildSpec,
    runtime: str,
    workshop: Workshop,
    cancelled: IsCancelled,
    log: Callable[[str], None],
) -> Scan:
    """Return the verdict for what the runtime loads the files with; tell where it is another."""
    folder = workshop.runtimes.folder(runtime)
    told = scanner.loaded_by(scan, spec.format, folder, workshop.sandbox, cancelled=cancelled)
    if told != scan:
        log(f"{told.verdict}, and not {scan.verdict}: {told.findings[0].what}")
    return told


def _refuse_malicious(scan: Scan) -> None:
    if scan.verdict == "malicious":
        worst = next(f for f in scan.findings if f.verdict == "malicious")
        raise BuildFailed(f"The scan found malicious content: {worst.path} {worst.what}")


def _keep(store: Blobs, path: Path) -> StoredBlob:
    with path.open("rb") as stream:
        return StoredBlob(*store.put_stream(stream))
