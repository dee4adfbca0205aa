"""Between a job and the pipeline: reads the version, keeps the log, reports the outcome."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from apps.builds import actions
from apps.builds.models import Build
from apps.builds.rules import (
    AccelerationReport,
    BuildState,
    Built,
    BuiltRuntime,
    LogLine,
    ScanReport,
    SmokeReport,
)
from apps.jobs.handlers import Cancelled, LeasedJob, LeaseLost
from apps.registry.signing import evidence_of, trusted_keys
from apps.registry.store import store
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.faults import crash_point
from placet.kernel.keystore import model_signing_key, signer
from placet_agent.downloads.leftovers import remove
from workers.builder import pipeline
from workers.builder.errors import BuildCancelled, BuildFailed
from workers.builder.runtimes import RuntimeCache
from workers.builder.sandbox import Sandbox
from workers.builder.spec import BuildResult, BuildSpec, Scan, SourceFile

FLUSH_SECONDS = 0.5
FLUSH_LINES = 50


_strong: list[Sandbox] = []  # at most one: bubblewrap, once it worked in this process


def sandbox() -> Sandbox:
    """Return this machine's sandbox. That bubblewrap does not work is found out anew each time."""
    if not _strong:
        detected = Sandbox.detect(config().data_dir / "sandbox.bwrap")
        if detected.isolation != "bwrap":
            return detected
        _strong.append(detected)
    return _strong[0]


def workshop() -> pipeline.Workshop:
    """Return what this worker lends to a build."""
    blobs, build_sandbox = store(), sandbox()
    return pipeline.Workshop(
        store=blobs,
        runtimes=RuntimeCache(config().runtimes, blobs, build_sandbox),
        sandbox=build_sandbox,
        build_key=signer("build"),
        model_key=model_signing_key(),
    )


def workplaces() -> Path:
    """Return the folder that builds work in."""
    return config().data_dir / "builds"


def build(build_id: str, job: LeasedJob) -> dict[str, Any] | None:
    """Carry out one build and report how it ended. A build that ended already is left alone."""
    tools = workshop()
    row = actions.start(build_id, job=job, isolation=tools.sandbox.isolation)
    if row is None:
        return {"state": "ended before"}
    _remove_earlier(build_id)
    journal = Journal(row, job)
    if row.generation > 1:
        journal("fetch", "Starting again: the worker before this one stopped in the middle")
    crash_point("builds.after_start")
    try:
        result = pipeline.run(
            specify(row),
            workshop=tools,
            workdir=workplaces() / f"{build_id}-{row.generation}",
            log=journal,
            cancelled=job.cancelled,
            on_scan=lambda scan: actions.record_scan(row, scan_report(scan), job=job),
        )
        journal.flush()
    except BuildCancelled:
        _stopped(build_id, journal, job)
    except BuildFailed as error:
        journal(row.step or journal.step, str(error))
        journal.flush()
        actions.fail(build_id, str(error), job=job)
        return {"state": BuildState.FAILED}
    crash_point("builds.before_commit_success")
    actions.succeed(row, outcome(result), job=job)
    crash_point("builds.after_commit_success")
    return {"state": BuildState.SUCCEEDED, "bento": result.bento_digest}


def _stopped(build_id: str, journal: "Journal", job: LeasedJob) -> NoReturn:
    """Tell a cancellation, which is written down, from a lost lease, which is another's affair."""
    journal(journal.step, "Cancelled")
    journal.flush()  # raises LeaseLost when the job is another worker's now
    actions.end_cancelled(build_id, job=job)
    raise Cancelled("The build was cancelled")


def specify(row: Build) -> BuildSpec:
    """Return the version as the pipeline takes it."""
    version = row.version
    files = version.files.order_by("path").values_list("path", "sha256", "size")
    return BuildSpec(
        build=row.pk,
        project=row.project_id,
        version=version.pk,
        model=version.model.name,
        number=version.number,
        format=version.format,
        artifact_digest=version.artifact_digest,
        files=tuple(SourceFile(*file) for file in files),
        signature=version.signature,
        python_version=version.python_version,
        requirements=tuple(version.requirements),
        variables=tuple(version.variables),
        example=version.example,
        expected=version.expected,
        memory_mb=config().build_memory_mb,
        seconds=config().build_seconds,
        accelerate=row.accelerate,
        trusted=tuple(trusted_keys(row.project_id)),
    )


def scan_report(scan: Scan) -> ScanReport:
    """Return the verdict as evidence holds it."""
    findings = [{"path": f.path, "what": f.what, "verdict": f.verdict} for f in scan.findings[:200]]
    return ScanReport(scan.verdict, findings, dict(scan.scanner), scan.files)


def outcome(result: BuildResult) -> Built:
    """Return what was made as the app takes it."""
    runtime, faster = result.runtime, result.acceleration
    return Built(
        bento_sha256=result.bento.sha256,
        bento_size=result.bento.size,
        runtime=BuiltRuntime(
            runtime.digest,
            runtime.python_version,
            runtime.lock,
            [asdict(w) for w in runtime.wheels],
        ),
        scan=scan_report(result.scan),
        smoke=SmokeReport(**asdict(result.smoke)),
        sbom_sha256=result.sbom.sha256,
        components=result.components,
        provenance=result.provenance,
        model_signature=result.model_signature,
        isolation=result.isolation,
        timings=result.timings,
        acceleration=AccelerationReport(**asdict(faster)) if faster else None,
        signed=evidence_of(result.signed) if result.signed else None,
    )


@dataclass(slots=True)
class Journal:
    """Keeps log lines and writes them a few at a time, so that the page shows them live."""

    build: Build
    job: LeasedJob
    step: str = "fetch"
    _waiting: list[LogLine] = field(default_factory=list)
    _written: float = field(default_factory=time.monotonic)

    def __call__(self, step: str, text: str) -> None:
        """Keep one line."""
        late = time.monotonic() - self._written > FLUSH_SECONDS
        changed = step != self.step
        self.step = step
        self._waiting.append(LogLine(now(), step, text))
        if late or changed or len(self._waiting) >= FLUSH_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what is kept. Raises :class:`LeaseLost` when the build is another worker's."""
        waiting, self._waiting = self._waiting, []
        self._written = time.monotonic()
        actions.append_lines(self.build, waiting, job=self.job)


def _remove_earlier(build_id: str) -> None:
    for left in workplaces().glob(f"{build_id}-*"):
        remove(left)


def sweep_folders() -> int:
    """Remove work folders of builds that do not run any more."""
    removed = 0
    for folder in workplaces().glob("bld_*-*"):
        build_id = folder.name.rpartition("-")[0]
        if not Build.objects.filter(pk=build_id, state=BuildState.RUNNING).exists():
            removed += remove(folder)
    return removed


def collect_runtimes() -> int:
    """Remove this worker's runtimes that no build used for as long as Bentos are kept."""
    return workshop().runtimes.collect(config().collect_after_days * 86_400)


__all__ = [
    "Journal",
    "LeaseLost",
    "build",
    "collect_runtimes",
    "outcome",
    "scan_report",
    "specify",
    "sweep_folders",
]
