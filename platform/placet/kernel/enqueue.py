"""Rings a worker's doorbell. The job itself is a row that `apps.jobs` wrote; a ring may be lost."""

import time

import structlog

EXPIRES = 60  # seconds after which a ring that nobody heard is thrown away
SILENCE = 5.0  # seconds without ringing after the broker did not answer

log = structlog.get_logger(__name__)
_silent_until = 0.0


def ring_bell(job_id: str, queue: str) -> None:
    """Tell the workers of ``queue`` to look at job ``job_id``.

    A message carries nothing but the id and may be lost, repeated or forged; workers also look
    by themselves every second. A broker that is down is therefore logged, never raised, and not
    asked again for a few seconds, so that requests do not queue up behind its timeout.
    """
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    from placet.kernel.broker import app  # what never rings need not load it

    try:
        app.send_task("jobs.look", args=[job_id], queue=queue, retry=False, expires=EXPIRES)
    except Exception as error:  # the doorbell must never fail the caller
        _silent_until = time.monotonic() + SILENCE
        log.warning("doorbell_failed", job=job_id, queue=queue, error=type(error).__name__)
