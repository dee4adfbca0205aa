"""Rings a worker's doorbell. The job itself is a row that `apps.jobs` wrote; a ring may be lost."""

import structlog

log = structlog.get_logger(__name__)


def ring(job_id: str, queue: str) -> None:
    """Tell the workers of ``queue`` to look at job ``job_id``.

    A message carries nothing but the id and may be lost, repeated or forged; workers also look
    by themselves every few seconds. A broker that is down is therefore logged, never raised.
    """
    from placet.celery import app

    try:
        app.send_task("jobs.look", args=[job_id], queue=queue, retry=False)
    except Exception as error:  # the doorbell must never fail the caller
        log.warning("doorbell_failed", job=job_id, queue=queue, error=type(error).__name__)
