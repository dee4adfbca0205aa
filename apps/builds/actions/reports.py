"""What the build worker reports.

Every write holds the job's lease: a worker that lost it writes nothing.
"""

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import Max

from apps.audit.actions import record
from apps.builds.events import (
    BENTO_ADDED,
    BUILD_CANCELLED,
    BUILD_FAILED,
    BUILD_STARTED,
    BUILD_SUCCEEDED,
    RUNTIME_ADDED,
)
from apps.builds.models import Bento, Build, BuildLine, Runtime
from apps.builds.rules import (
    CUT_OFF,
    MAX_LINES,
    OPEN,
    BuildState,
    Built,
    LogLine,
    ScanReport,
    clean_log_text,
)
from apps.jobs.each import each
from apps.jobs.handlers import LeasedJob, LeaseLost
from apps.jobs.models import Job, JobState
from apps.registry.actions import add_evidence
from apps.registry.models import Evidence, EvidenceSource, ModelVersion
from apps.registry.queries import latest_evidence
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import database_now
from placet.kernel.faults import crash_point
from placet.kernel.states import move

ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
STOPPED = "The worker stopped in the middle and the build was not started again"


def start(build_id: str, *, job: LeasedJob, isolation: str, actor: Actor = SYSTEM) -> Build | None:
    """Take the build up, or take it over from a worker that died; ``None`` when it has ended.

    Taking it over moves its generation on, so that nothing of the first worker counts any more.
    """
    with record(actor) as log:
        build = _held(build_id, job)
        if build.state not in OPEN:
            return None
        now = database_now()
        move(
            build,
            expected=OPEN,
            to=BuildState.RUNNING,
            isolation=isolation,
            step="",
            started_at=build.started_at or now,
        )
        log.add(BUILD_STARTED, build, data={"attempt": job.attempt})
    return build


def append_lines(build: Build, lines: Sequence[LogLine], *, job: LeasedJob) -> None:
    """Add ``lines`` to the log and show the last one's step. Past the limit only a note is kept."""
    if not lines:
        return
    with transaction.atomic():
        job.fence()
        newest = BuildLine.objects.filter(build=build).aggregate(newest=Max("number"))["newest"]
        first = (newest or 0) + 1
        rows = [
            BuildLine(
                build=build,
                number=number,
                at=line.at,
                step=line.step,
                text=clean_log_text(line.text),
            )
            for number, line in enumerate(lines, first)
            if number <= MAX_LINES
        ]
        if first <= MAX_LINES < first + len(lines):
            last = lines[-1]
            rows.append(
                BuildLine(
                    build=build, number=MAX_LINES + 1, at=last.at, step=last.step, text=CUT_OFF
                )
            )
        BuildLine.objects.bulk_create(rows)
        Build.objects.filter(pk=build.pk, generation=build.generation).update(step=lines[-1].step)
        crash_point("builds.before_lines_commit")
    crash_point("builds.after_lines_commit")


def record_scan(build: Build, report: ScanReport, *, job: LeasedJob, actor: Actor = SYSTEM) -> None:
    """Keep what the scanner says of the files by themselves, whatever becomes of the build.

    It counts for every Bento of the version: none is ``safe`` before it is known what loads it.
    """
    if report.verdict == "safe":
        return
    with record(actor):
        _held(build.pk, job, build.generation)
        _measured(build.version, "scan", report.data(), "", actor)


def succeed(build: Build, built: Built, *, job: LeasedJob, actor: Actor = SYSTEM) -> Bento:
    """Write down what was made: the runtime, the Bento, its evidence, and the end of the build."""
    with record(actor) as log:
        row = _held(build.pk, job, build.generation)
        runtime = _runtime(built)
        if runtime is not None:
            log.add(RUNTIME_ADDED, runtime, data={"wheels": len(built.runtime.wheels)})
        _finish(
            row,
            BuildState.SUCCEEDED,
            bento_digest=built.bento_digest,
            timings=built.timings,
            isolation=built.isolation,
        )
        bento = Bento(
            digest=built.bento_digest,
            version_id=row.version_id,
            project_id=row.project_id,
            build=row,
            runtime_id=built.runtime.digest,
            size=built.bento_size,
            accelerated=built.accelerated,
            slim=built.smoke.slim,
            provenance=built.provenance,
            sbom=built.sbom_sha256,
            model_signature=built.model_signature,
        )
        bento.save(force_insert=True)
        log.add(BENTO_ADDED, bento)
        bill = {"format": "CycloneDX", "components": built.components, "sha256": built.sbom_sha256}
        _scanned(row.version, built, actor)
        _measured(row.version, "smoke_test", built.smoke.data(), built.bento_digest, actor)
        _measured(row.version, "sbom", bill, built.bento_digest, actor)
        if built.signed is not None:
            _came_signed(row.version, built.signed, actor)
        if faster := built.acceleration:
            _measured(row.version, "acceleration", faster.data(), built.bento_digest, actor)
        log.add(BUILD_SUCCEEDED, row, data={"seconds": round(sum(built.timings.values()), 1)})
    return bento


def _runtime(built: Built) -> Runtime | None:
    """Insert the runtime, or bring it back; ``None`` when it was there.

    Two builds may add it at one moment.
    """
    runtime = Runtime(
        digest=built.runtime.digest,
        python_version=built.runtime.python_version,
        lock=built.runtime.lock,
        wheels=built.runtime.wheels,
    )
    known = Runtime.objects.select_for_update(no_key=True).filter(pk=runtime.pk).first()
    if known is not None:  # held until the Bento is in: nobody gives it up meanwhile
        if known.collected_at is None:
            return None
        known.collected_at, known.wheels = None, built.runtime.wheels
        known.save(update_fields=["collected_at", "wheels"])
        return known
    try:
        with transaction.atomic():
            runtime.save(force_insert=True)
    except IntegrityError:
        return None
    return runtime


def fail(
    build_id: str,
    error: str,
    *,
    job: LeasedJob,
    timings: dict[str, float] | None = None,
    actor: Actor = SYSTEM,
) -> Build | None:
    """End the build with ``error`` in words; ``None`` when it had ended before."""
    with record(actor) as log:
        row = _held(build_id, job)
        if row.state not in OPEN:
            return None
        _finish(row, BuildState.FAILED, error=clean_log_text(error), timings=timings or {})
        log.add(BUILD_FAILED, row, data={"step": row.step})
    return row


def end_cancelled(build_id: str, *, job: LeasedJob, actor: Actor = SYSTEM) -> None:
    """End a build that was asked to stop."""
    with record(actor) as log:
        row = _held(build_id, job)
        if row.state in OPEN:
            _finish(row, BuildState.CANCELLED)
            log.add(BUILD_CANCELLED, row)


def settle_lost(*, actor: Actor = SYSTEM) -> int:
    """End open builds whose job ended without them: cancelled by an operator, or given up.

    One that cannot be ended stops no other: what it raised is raised at the end.
    """
    builds, faults = list(Build.objects.filter(state__in=OPEN)), list[Exception]()
    settled = sum(each(lambda build: _settle(build, actor), builds, faults))
    if faults:
        raise faults[0]
    return settled


def _settle(build: Build, actor: Actor) -> bool:
    job = Job.objects.filter(pk=build.job).first()
    if job is not None and job.state not in ENDED:
        return False
    with record(actor) as log:
        at = database_now()
        if job is not None and job.state == JobState.CANCELLED:
            if settled := move(build, expected=OPEN, to=BuildState.CANCELLED, finished_at=at):
                log.add(BUILD_CANCELLED, build)
        elif settled := move(
            build, expected=OPEN, to=BuildState.FAILED, error=STOPPED, finished_at=at
        ):
            log.add(BUILD_FAILED, build, data={"step": build.step})
    return settled


def _held(build_id: str, job: LeasedJob, generation: int | None = None) -> Build:
    """Hold the lease, then the build's row; refuse a build that another worker took over."""
    job.fence()
    build = (
        Build.objects.select_for_update(of=("self",), no_key=True)
        .select_related("version__model")
        .get(pk=build_id)
    )
    if generation is not None and (
        build.generation != generation or build.state != BuildState.RUNNING
    ):
        raise LeaseLost(job.id)
    return build


def _finish(row: Build, state: BuildState, **changes: object) -> None:
    if not move(row, expected=OPEN, to=state, finished_at=database_now(), **changes):
        raise LeaseLost(row.job)


def _scanned(version: ModelVersion, built: Built, actor: Actor) -> None:
    """Keep the verdict for this Bento, where it is another than for the files by themselves: it is
    ``safe`` with the libraries of its runtime alone."""
    found = Evidence.objects.filter(
        version=version, kind="scan", source=EvidenceSource.MEASURED, bento_digest=""
    )
    newest = found.order_by("-created_at", "-pk").first()
    if built.scan.verdict == "safe" or newest is None or newest.data != built.scan.data():
        _measured(version, "scan", built.scan.data(), built.bento_digest, actor)


def _came_signed(version: ModelVersion, signature: dict[str, object], actor: Actor) -> None:
    """Keep what the version's own ``model.sig`` is worth, where it is worth another thing now.

    Once trusted it stays so, though the key's time is over since: it counted when the version came.
    That a key was revoked is the gate's to say.
    """
    before = latest_evidence(version, source=EvidenceSource.MEASURED).get("model_signature")
    if before is None or (before.data != signature and before.data["result"] != "trusted"):
        _measured(version, "model_signature", signature, "", actor)


def _measured(
    version: ModelVersion, kind: str, data: dict[str, object], bento: str, actor: Actor
) -> None:
    add_evidence(
        version,
        kind=kind,
        data=data,
        source=EvidenceSource.MEASURED,
        bento_digest=bento,
        actor=actor,
    )
