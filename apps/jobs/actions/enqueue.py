"""Asking for work, and asking for it to stop."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction

from apps.audit.actions import record
from apps.jobs.events import JOB_CANCELLED
from apps.jobs.models import Job, JobState
from apps.jobs.queries import job_visible
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import database_now
from placet.kernel.enqueue import ring_bell
from placet.kernel.problems import Conflict, NeedsPermission


def enqueue(
    kind: str,
    *,
    queue: str = "control",
    key: str = "",
    delay: float = 0,
    max_attempts: int = 0,
    project: str | None = None,
    **args: Any,
) -> Job:
    """Write a job row and ring its queue after commit.

    ``kind`` names a handler in ``workers.tasks``; ``args`` are JSON values, ids above all, never
    secrets. ``delay`` is in seconds; ``max_attempts`` 0 leaves it to the handler.

    ``key`` makes work unique: while one job of this kind and key waits, a second call returns it
    (at the earlier of both due times), and while one runs the next does not start. The waiting
    row stays locked until the caller commits, so its run sees what the caller changed: no
    wake-up is missed.
    """
    with transaction.atomic(savepoint=False):
        job = Job(
            kind=kind,
            key=key,
            queue=queue,
            args=args,
            due_at=database_now() + timedelta(seconds=delay),
            max_attempts=max_attempts,
            project=project,
            request_id=str(structlog.contextvars.get_contextvars().get("request_id") or "")[:64],
        )
        job = put(job)
        if not delay:
            transaction.on_commit(lambda: ring_bell(job.id, queue), robust=True)
    return job


def put(job: Job) -> Job:
    """Insert ``job``, or lock and return the one that waits under its key. Rings nobody.

    The waiting row may be claimed between the two statements; then there is none any more, and
    the insert is tried again.
    """
    if not job.key:
        job.save(force_insert=True)
        return job
    while True:
        Job.objects.bulk_create([job], ignore_conflicts=True)
        if Job.objects.filter(pk=job.pk).exists():
            return job
        if waiting_id := _lock_waiting(job.kind, job.key, job.due_at):
            return Job.objects.get(pk=waiting_id)


def _lock_waiting(kind: str, key: str, due_at: datetime) -> str | None:
    """Lock the waiting row in share mode (enqueuers do not block each other, claimers skip it)."""
    where = "WHERE kind = %s AND key = %s AND state = 'queued'"
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE jobs_job SET due_at = %s {where} AND due_at > %s RETURNING id",  # noqa: S608
            [due_at, kind, key, due_at],
        )
        if (row := cursor.fetchone()) is None:
            cursor.execute(f"SELECT id FROM jobs_job {where} FOR SHARE", [kind, key])  # noqa: S608
            row = cursor.fetchone()
    return str(row[0]) if row else None


def cancel(job_id: str, *, actor: Actor) -> Job:
    """Cancel a waiting job, or ask a running one to stop. Needs ``job.cancel`` where it belongs.

    Raises :class:`NotFound`, :class:`Forbidden`, or :class:`Conflict` when it has ended already.
    """
    with record(actor) as log:
        job = job_visible(job_id, actor)
        if not actor.can("job.cancel", Scope(job.project)):
            raise NeedsPermission(actor, "job.cancel", scope=Scope(job.project))
        job = Job.objects.select_for_update(no_key=True).get(pk=job.pk)
        if job.state not in (JobState.QUEUED, JobState.RUNNING):
            raise Conflict(f"The job is {job.state} already", code="job_ended")
        job.cancel_requested = True
        if job.state == JobState.QUEUED:
            job.state, job.finished_at = JobState.CANCELLED, database_now()
        job.save(update_fields=["cancel_requested", "state", "finished_at"])
        log.add(JOB_CANCELLED, subject=job.id, project=job.project, data={"job": job.kind})
    return job
