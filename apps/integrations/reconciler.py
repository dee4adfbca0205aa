"""Sending the log where streams go: what is next, at most so long, and telling who should know.
Webhooks are called by ``apps.integrations.telling``.

A pass may be repeated or run after another was killed: the cursor moves once a batch was accepted,
so a batch may come twice and none is left out.
"""

import time
from typing import Any

from django.db.models import QuerySet

from apps.integrations import actions, queries
from apps.integrations.formats import Batch
from apps.integrations.models import SENDING, Stream
from apps.integrations.queries import EventMissing, StreamLag
from apps.integrations.senders import Sent, send
from apps.jobs.actions import enqueue
from apps.jobs.handlers import LeasedJob
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind, unresolved
from apps.monitoring.reconciler import Sweep, settle
from placet.kernel.clock import now
from placet.kernel.faults import crash_point

SLICE = 6.0  # seconds in which one job begins to send; with the last batch less than its lease


def ring_due() -> int:
    """Have every stream delivered that has something to send; return how many have."""
    streams = list(queries.due())
    for stream in streams:
        enqueue("integrations.deliver", key=stream.pk, project=stream.project_id, stream=stream.pk)
    return len(streams)


def deliver(stream_id: str, job: LeasedJob) -> dict[str, int]:
    """Send batch after batch until everything is sent, something fails, or the time is up."""
    end, sent = time.monotonic() + SLICE, 0
    while time.monotonic() < end and not job.cancelled():
        moved = _step(stream_id, job)
        if moved is None:
            break
        sent += moved
    return {"events": sent}


def _step(stream_id: str, job: LeasedJob) -> int | None:
    """Send one batch; return how many events went out, ``None`` when that is all for now."""
    stream = _rows().filter(pk=stream_id, state__in=SENDING).first()
    if stream is None or (stream.retry_at and stream.retry_at > now()):
        return None
    try:
        batch = queries.next_batch(stream)
    except EventMissing as gap:
        batch = Batch("", stream.cursor, ())
        actions.fell_through(stream, batch, Sent("refused", str(gap), 0, 0.0), job=job)
        return None
    if batch is None:
        return None
    sent = send(stream, batch)
    crash_point("integrations.after_send")
    if sent.verdict == "accepted":
        return len(batch.leaves) if actions.delivered(stream, batch, sent, job=job) else None
    if sent.verdict == "smaller":
        actions.smaller(stream, batch, sent, job=job)
        return 0
    actions.fell_through(stream, batch, sent, job=job)
    return None


def _rows() -> QuerySet[Stream]:
    return Stream.objects.select_related("project")  # whose folder has its secrets


def send_test(stream_id: str, job: LeasedJob) -> dict[str, bool] | None:
    """Send something that holds nothing of the log, once, in whatever state the stream is."""
    stream = _rows().filter(pk=stream_id).first()
    if stream is None:
        return None
    batch = queries.test_batch()
    sent = send(stream, batch)
    actions.tested(stream, batch, sent, job=job)
    return {"accepted": sent.verdict == "accepted"}


def watch() -> dict[str, int]:
    """Open an alert about each stream that lags too far behind, and end those that are over.

    A paused stream lags as well; one that nobody let begin yet does not.
    """
    rows = _started().order_by("pk")
    late = [s for s in queries.standings(rows) if s.seconds > s.stream.alert_after_seconds]
    return settle(Sweep([_finding(s) for s in late]), (AlertKind.STREAM_LAG,), {})


def anything_to_watch() -> list[QuerySet[Any]]:
    """Return what :func:`watch` looks at: streams that may lag, and alerts that may be over."""
    return [_started(), unresolved(AlertKind.STREAM_LAG)]


def _started() -> QuerySet[Stream]:
    return _rows().exclude(started_by="")


def _finding(lag: StreamLag) -> AlertFinding:
    stream = lag.stream
    why = f": {stream.error}" if stream.error else ""
    return AlertFinding(
        AlertKind.STREAM_LAG,
        subject=stream.pk,
        about=stream.pk,  # not its name: who sees alerts need not see streams
        summary=f"The stream is {stream.state}, and {lag.events} events behind the log, by"
        f" {round(lag.seconds)} s{why}",
    )
