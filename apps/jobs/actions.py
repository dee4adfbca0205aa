"""Writing job rows: enqueue inside the caller's transaction, ring after commit."""

from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction

from apps.jobs.models import Job, JobState
from placet.kernel.clock import database_now
from placet.kernel.enqueue import ring


def enqueue(
    kind: str,
    *,
    queue: str = "control",
    key: str = "",
    delay: float = 0,
    max_attempts: int = 5,
    project: str | None = None,
    **args: Any,
) -> Job:
    """Write a job row and ring its queue after commit.

    ``kind`` names a handler in ``workers.tasks``; ``args`` are JSON values, ids above all.
    ``key`` makes it unique while it waits: a second call returns the waiting job. ``delay`` is
    in seconds.
    """
    now = database_now()
    values = {
        "queue": queue,
        "args": args,
        "due_at": now + timedelta(seconds=delay),
        "max_attempts": max_attempts,
        "project": project,
        "request_id": str(structlog.contextvars.get_contextvars().get("request_id", "")),
    }
    job = Job(kind=kind, key=key, **values)
    if not key:
        job.save(force_insert=True)
    else:
        Job.objects.bulk_create([job], ignore_conflicts=True)
        waiting = Job.objects.filter(kind=kind, key=key, state=JobState.QUEUED).first()
        job = waiting or job
    if not delay:
        transaction.on_commit(lambda: ring(job.id, queue))
    return job
