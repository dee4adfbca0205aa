"""Captured predictions: taking lines in once, storing them as Parquet, letting them go.

They are measurements, as metric windows are: the log does not repeat them, nor does it rebuild
them. Nobody decides them, so what stores them takes no actor: a node vouches for its lines with
the signature of its request. What is done to them by people, erasing, is in the log.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from apps.jobs.each import each
from apps.monitoring import parquet
from apps.monitoring.actions.daily import fits
from apps.monitoring.actions.outcomes import match_waiting
from apps.monitoring.actions.salts import lock_captured, salt_of
from apps.monitoring.errors import CaptureMoved, OtherOffset
from apps.monitoring.models import (
    CapturedPrediction,
    CaptureFile,
    CapturePart,
    CaptureRange,
    Erasure,
)
from apps.monitoring.prediction_lines import (
    SKEW,
    PredictionLine,
    drawn_output,
    read_line,
    split,
    unit_hash,
    unpack,
)
from apps.registry.errors import BlobMissing
from apps.registry.hooks import needed
from apps.registry.store import store
from apps.serving.models import Node, Revision
from apps.serving.rules import serving_config
from placet.kernel.clock import now
from placet.kernel.problems import InvalidInput, NotFound
from placet_verify.capture import Capture

RANGES = 16  # of a revision, stored at once
SMALL = 5000  # predictions: a file with fewer is written anew when more come
KEEP_RANGES = timedelta(days=30)


def receive_lines(node: Node, *, revision: str, file: str, offset: int, packed: bytes) -> int:
    """Take in lines of a file from ``offset`` on, once; return how far we have the file now.

    What is more than is kept of a revision in a day is dropped, and answered like the rest.
    Raises :class:`OtherOffset` when we have it up to another byte: those lines came before, or
    others are missing before them.
    """
    revision_row = Revision.objects.filter(pk=revision, endpoint__target__node=node.pk).first()
    if revision_row is None or serving_config(revision_row.serving).capture is None:
        raise NotFound
    try:
        lines = unpack(packed)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    end = offset + len(lines)
    with transaction.atomic():
        kept = fits(revision, lines, len(packed))
        files = CaptureFile.objects.filter(node=node.pk, revision=revision, name=file)
        if kept:
            files.get_or_create(
                node=node.pk, revision=revision, name=file, defaults={"changed_at": now()}
            )
        row = files.first()
        if row is None:
            return end  # a file that began when nothing more is kept: no row either
        here = CaptureFile.objects.filter(pk=row.pk, offset=offset)
        if not here.update(offset=end, changed_at=now()):
            row.refresh_from_db()
            raise OtherOffset(row.offset)
        if kept:
            CaptureRange.objects.create(
                file=row, start=offset, end=end, packed=packed, received_at=now()
            )
    return end


def store_captures() -> int:
    """Store what waits; return how many predictions were new. A revision of which nothing can be
    stored stops no other: what it raised is raised at the end."""
    waiting = unstored()[0].values_list("file__revision", flat=True)
    faults = list[Exception]()
    stored = sum(each(_store_of, waiting.order_by("file__revision").distinct(), faults))
    if faults:
        raise faults[0]
    return stored


def unstored() -> list[QuerySet[CaptureRange]]:
    """Return what waits to be stored."""
    return [CaptureRange.objects.filter(stored_at=None)]


def _store_of(pk: str) -> int:
    try:
        return _store(Revision.objects.select_related("endpoint").get(pk=pk))
    except CaptureMoved:
        return 0  # the next run finds it again


@dataclass(slots=True)
class _Batch:
    """Some ranges of one revision, read."""

    revision: Revision
    capture: Capture
    salt: str
    ranges: list[CaptureRange]
    erasures: list[Erasure]
    lines: dict[str, PredictionLine] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def read(self) -> None:
        """Read every line; those of units that were erased since are not kept."""
        erased = {row.unit: erased_until(row) for row in self.erasures}
        for row in self.ranges:
            for raw in split(unpack(bytes(row.packed or b""))):
                line = read_line(
                    raw, revision=self.revision.pk, capture=self.capture, latest=row.received_at
                )
                if line is None:
                    row.unreadable += 1
                    continue
                row.dropped += line.dropped
                unit = unit_hash(self.salt, line.unit)
                if unit in erased and min(line.at, row.received_at) <= erased[unit]:
                    continue
                if line.prediction not in self.lines:
                    self.lines[line.prediction], self.units[line.prediction] = line, unit

    def new_by_day(self) -> dict[date, list[PredictionLine]]:
        """Return the lines of predictions that are not stored yet."""
        known = CapturedPrediction.objects.filter(
            revision=self.revision.pk, prediction__in=self.lines
        )
        for prediction in known.values_list("prediction", flat=True):
            del self.lines[str(prediction)]
        days: dict[date, list[PredictionLine]] = defaultdict(list)
        for line in self.lines.values():
            days[line.at.date()].append(line)
        return days

    def row(self, line: PredictionLine) -> parquet.ParquetRow:
        """Return a line as the files have it."""
        return parquet.ParquetRow(
            line.prediction,
            line.at.timestamp(),
            self.units[line.prediction],
            line.rows,
            line.inputs,
            line.outputs,
            line.milliseconds,
        )


@dataclass(frozen=True, slots=True)
class _Written:
    """A file that was written, and the one that it takes the place of."""

    day: date
    sha256: str
    lines: Sequence[PredictionLine]
    before: CapturePart | None


def _store(revision: Revision) -> int:
    capture = serving_config(revision.serving).capture
    assert capture is not None, "lines of a revision that captures nothing are not received"
    waiting = CaptureRange.objects.filter(file__revision=revision.pk, stored_at=None)
    batch = _Batch(
        revision=revision,
        capture=capture,
        salt=salt_of(revision.endpoint_id),
        ranges=list(waiting.order_by("pk")[:RANGES]),
        erasures=erasures(revision.endpoint_id),
    )
    batch.read()
    written = [_write(batch, day, lines) for day, lines in batch.new_by_day().items()]
    try:
        with transaction.atomic():
            _keep(batch, written)
    except CaptureMoved:
        discard(item.sha256 for item in written)
        raise
    discard(item.before.sha256 for item in written if item.before)
    return len(batch.lines)


def _write(batch: _Batch, day: date, lines: Sequence[PredictionLine]) -> _Written:
    parts = CapturePart.objects.filter(revision=batch.revision.pk, day=day, rows__lt=SMALL)
    before = next((p for p in parts.order_by("-pk") if store().exists(p.sha256)), None)
    after = [before.sha256] if before else []
    try:
        digest = parquet.write([batch.row(line) for line in lines], after=after)
    except BlobMissing:
        raise CaptureMoved from None
    return _Written(day, digest, lines, before)


def _keep(batch: _Batch, written: Iterable[_Written]) -> None:
    """Write down what was stored, unless an erasure or another worker came in between."""
    endpoint = batch.revision.endpoint_id
    lock_captured(endpoint)
    mine = CaptureRange.objects.filter(pk__in=[r.pk for r in batch.ranges], stored_at=None)
    if mine.count() != len(batch.ranges) or len(erasures(endpoint)) != len(batch.erasures):
        raise CaptureMoved
    for item in written:
        part = _part(batch, item)
        CapturedPrediction.objects.bulk_create(
            CapturedPrediction(
                prediction=UUID(line.prediction),
                endpoint_id=endpoint,
                part=part,
                at=line.at,
                revision=batch.revision.pk,
                unit=batch.units[line.prediction],
                cohort=line.cohort,
                output=drawn_output(line),
            )
            for line in item.lines
        )
        match_waiting(endpoint, [UUID(line.prediction) for line in item.lines])
    for row in batch.ranges:
        row.stored_at, row.packed = now(), None
    CaptureRange.objects.bulk_update(batch.ranges, ["stored_at", "packed", "dropped", "unreadable"])


def _part(batch: _Batch, item: _Written) -> CapturePart:
    if item.before is not None:
        before = CapturePart.objects.filter(pk=item.before.pk, sha256=item.before.sha256)
        if not before.update(sha256=item.sha256, rows=item.before.rows + len(item.lines)):
            raise CaptureMoved
        return item.before
    return CapturePart.objects.create(
        endpoint_id=batch.revision.endpoint_id,
        revision=batch.revision.pk,
        day=item.day,
        sha256=item.sha256,
        rows=len(item.lines),
        keep_until=item.day + timedelta(days=batch.capture.days),
    )


def forget_captures() -> int:
    """Delete what was to be kept no longer; return how many predictions that were. A file that
    cannot be deleted stops no other: what it raised is raised at the end."""
    old, faults = CapturePart.objects.filter(keep_until__lt=now().date()), list[Exception]()
    forgotten = sum(each(_forget, old, faults))
    CaptureFile.objects.filter(changed_at__lt=now() - KEEP_RANGES).exclude(
        ranges__stored_at=None
    ).delete()
    if faults:
        raise faults[0]
    return forgotten


def _forget(part: CapturePart) -> int:
    with transaction.atomic():
        forgotten = part.predictions.all().delete()[0]
        CapturePart.objects.filter(pk=part.pk).delete()
    discard([part.sha256])
    return forgotten


def erasures(endpoint: str) -> list[Erasure]:
    """Return what was to be erased at an endpoint; the newest of a unit is the last."""
    return list(Erasure.objects.filter(endpoint=endpoint).order_by("requested_at"))


def erased_until(row: Erasure) -> datetime:
    """Return up to when lines of the unit are taken for such of before the wish, by what they say
    or by when they were received: the clock of their node may be ahead."""
    return row.requested_at + SKEW


def discard(digests: Iterable[str]) -> None:
    """Remove blobs that nothing needs any more, at once: what is erased must not lie about."""
    gone = list(digests)
    for digest in set(gone) - needed(gone):
        store().delete(digest)
