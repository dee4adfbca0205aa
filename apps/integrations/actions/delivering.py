"""Writing down what came of a batch. The cursor moves by compare-and-set, after it was accepted."""

from datetime import timedelta

from apps.audit.actions import record
from apps.integrations.events import STREAM_BLOCKED, STREAM_FAILING, STREAM_RECOVERED
from apps.integrations.formats import Batch
from apps.integrations.models import SENDING, Delivery, Stream, StreamState
from apps.integrations.rules import FAILING_AFTER, delay
from apps.integrations.senders import Sent
from apps.jobs.handlers import LeasedJob
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.faults import crash_point
from placet.kernel.states import move

KEPT = 50  # attempts of each stream


def delivered(stream: Stream, batch: Batch, sent: Sent, *, job: LeasedJob) -> bool:
    """Move the cursor behind a batch that was accepted.

    ``False`` when it stands elsewhere by now: somebody rewound or removed the stream meanwhile.
    One that was paused meanwhile moves on all the same, because the receiver has the batch.
    """
    with record(SYSTEM) as log:
        job.fence()
        row = Stream.objects.select_for_update(no_key=True).filter(pk=stream.pk).first()
        head = {"checkpoint": batch.head.size} if batch.head else {}
        here = Stream.objects.filter(pk=stream.pk, cursor=batch.first)
        if row is None or not here.update(
            cursor=batch.next,
            failures=0,
            retry_at=None,
            error="",
            delivered_at=now(),
            **head,
        ):
            return False
        row.refresh_from_db()
        _keep(row, batch, sent)
        if move(row, expected=StreamState.FAILING, to=StreamState.RUNNING):
            log.add(STREAM_RECOVERED, row, data={"cursor": row.cursor})
        crash_point("integrations.before_cursor_commit")
    crash_point("integrations.after_cursor_commit")
    return True


def fell_through(stream: Stream, batch: Batch, sent: Sent, *, job: LeasedJob) -> None:
    """Write down that a batch was not taken: try again later, or wait for a person."""
    with record(SYSTEM) as log:
        job.fence()
        row = Stream.objects.select_for_update(no_key=True).filter(pk=stream.pk).first()
        if row is None:
            return
        row.failures += 1
        row.error = sent.detail
        row.retry_at = now() + timedelta(seconds=delay(row.failures, sent.retry_after))
        row.save(update_fields=["failures", "error", "retry_at"])
        _keep(row, batch, sent)
        data = {"cursor": row.cursor, "status": sent.status}
        if sent.verdict == "refused":
            if move(row, expected=SENDING, to=StreamState.BLOCKED):
                log.add(STREAM_BLOCKED, row, data=data)
        elif row.failures >= FAILING_AFTER and move(
            row, expected=StreamState.RUNNING, to=StreamState.FAILING
        ):
            log.add(STREAM_FAILING, row, data=data)


def smaller(stream: Stream, batch: Batch, sent: Sent, *, job: LeasedJob) -> None:
    """Cut the next batches in half, because this one was too large for the receiver."""
    with record(SYSTEM):
        job.fence()
        half = max(1, len(batch.leaves) // 2)
        if Stream.objects.filter(pk=stream.pk).update(batch_limit=half):
            _keep(stream, batch, sent)


def tested(stream: Stream, batch: Batch, sent: Sent, *, job: LeasedJob) -> None:
    """Write down what came of a test. The stream stays as it is."""
    with record(SYSTEM):
        job.fence()
        if Stream.objects.select_for_update(no_key=True).filter(pk=stream.pk).exists():
            _keep(stream, batch, sent)


def _keep(stream: Stream, batch: Batch, sent: Sent) -> None:
    mine = Delivery.objects.filter(stream=stream)
    Delivery.objects.create(
        stream=stream,
        at=now(),
        test=batch.test,
        first=batch.first,
        events=len(batch.leaves),
        bytes=sent.bytes,
        seconds=round(sent.seconds, 3),
        accepted=sent.verdict == "accepted",
        detail=sent.detail,
    )
    oldest = mine.order_by("-pk").values_list("pk", flat=True)[KEPT : KEPT + 1].first()
    if oldest is not None:
        mine.filter(pk__lte=oldest).delete()
