"""Running claimed jobs and writing down how it went."""

from collections.abc import Sequence
from contextlib import nullcontext
from logging import DEBUG, INFO
from typing import Any

import structlog
from django.db import transaction

from apps.jobs.actions.lease import Heartbeat, claim, end, requeue
from apps.jobs.handlers import (
    Cancelled,
    Handler,
    LeasedJob,
    LeaseLost,
    Retry,
    handlers,
    timetables,
)
from apps.jobs.models import Job, JobState
from apps.jobs.rules import MAX_LOSSES, backoff, in_words
from placet.kernel.faults import crash_point

log = structlog.get_logger(__name__)


def run_one(job_id: str, *, heartbeat: bool = True) -> bool:
    """Claim and run the job ``job_id`` if it may run now. An unknown id is nothing to do."""
    return _run(claim(job_id=job_id), heartbeat)


def run_due(
    queue: str | Sequence[str] | None = None, limit: int = 1, *, heartbeat: bool = True
) -> int:
    """Claim and run at most ``limit`` due jobs, one after the other; return how many ran.

    ``queue`` is one queue, several, or ``None`` for all.
    """
    queues = [queue] if isinstance(queue, str) else queue
    done = 0
    while done < limit and _run(claim(queues), heartbeat):
        done += 1
    return done


def _run(job: Job | None, heartbeat: bool) -> bool:
    if job is None:
        return False
    spec = handlers()[job.kind]
    leased = LeasedJob(
        id=job.pk,
        kind=job.kind,
        args=job.args,
        project=job.project,
        generation=job.generation,
        attempt=job.attempts - job.losses,
        max_attempts=job.max_attempts or spec.max_attempts,
        request_id=job.request_id,
        lease_seconds=spec.lease_seconds,
    )
    about = {"job_id": job.pk, "job_kind": job.kind, "request_id": job.request_id or None}
    with structlog.contextvars.bound_contextvars(**about):
        with Heartbeat(leased) if heartbeat else nullcontext():
            crash_point("jobs.after_claim")
            written = _carry_out(leased, spec, losses=job.losses)
        if not written:
            log.warning("job_lease_lost", generation=job.generation)
    return True


def _carry_out(job: LeasedJob, spec: Handler, *, losses: int) -> bool:
    """Run the handler and write the outcome; ``False`` when the lease was lost meanwhile."""
    if losses >= MAX_LOSSES:
        return _fail(job, spec, f"The worker died {losses} times while running this job")
    try:
        result = spec.run(job)
        crash_point("jobs.before_finish")
        done = end(job, JobState.SUCCEEDED, result=result)
        crash_point("jobs.after_finish")
        log.log(DEBUG if job.kind in timetables() else INFO, "job_succeeded")
        return done
    except LeaseLost:
        return False
    except Cancelled as stop:
        return end(job, JobState.CANCELLED, error=str(stop))
    except Retry as retry:
        return _again(job, spec, retry.why, after=retry.after, counts=retry.counts)
    except Exception as error:
        log.exception("job_failed", attempt=job.attempt)
        return _again(job, spec, in_words(error), after=None, counts=True)


def _again(job: LeasedJob, spec: Handler, error: str, *, after: float | None, counts: bool) -> bool:
    if _cancel_asked(job):
        return end(job, JobState.CANCELLED, error=error)
    if counts and job.last_attempt:
        return _fail(job, spec, error)
    delay = backoff(job.attempt) if after is None else after
    return requeue(job, error=error, after=delay, counts=counts)


def _cancel_asked(job: LeasedJob) -> bool:
    row = Job.objects.filter(pk=job.id, generation=job.generation)
    return bool(row.values_list("cancel_requested", flat=True).first())


def _fail(job: LeasedJob, spec: Handler, error: str) -> bool:
    """End the job as failed, and tell its handler in the same transaction.

    A defect in the handler's own hook must not keep the job open for ever.
    """
    log.error("job_gave_up", attempts=job.attempt, error=error)
    try:
        return _fail_with(job, error, spec.on_failed)
    except LeaseLost:
        return False
    except Exception:
        log.exception("job_on_failed_broke")
        return _fail_with(job, error, None)


def _fail_with(job: LeasedJob, error: str, hook: Any) -> bool:
    with transaction.atomic():
        job.fence()
        written = end(job, JobState.FAILED, error=error)
        if hook is not None:
            hook(job, error)
    return written
