"""Captured predictions, as an actor may read them, and what is known to be missing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import BigIntegerField, Count, F, Func, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from apps.identity.queries import authorize
from apps.monitoring import parquet
from apps.monitoring.models import (
    CapturedPrediction,
    CapturePart,
    CaptureRange,
    Erasure,
    MetricWindow,
)
from apps.monitoring.prediction_lines import expected
from apps.registry.errors import BlobMissing
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import PRESENT, serving_config
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet_verify.capture import Capture

HOURS = 24
SETTLED = timedelta(seconds=60)  # what is younger may still be on its way


@dataclass(frozen=True, slots=True)
class Captured:
    """What one revision captured over the last day, and what should have been there.

    ``expected`` is the approved share of the answers 2xx that the proxy counted; chance leads at
    most ``chance`` away from it. ``missing`` is what lies beyond: lost with a process or a disk.
    """

    revision: Revision
    capture: Capture
    captured: int
    expected: int
    chance: int
    dropped: int
    unreadable: int

    @property
    def missing(self) -> int:
        """How many are missing beyond what chance explains; an estimate."""
        short = self.expected - self.captured
        return short if short > self.chance else 0


def captured_predictions(endpoint: Endpoint, actor: Actor) -> QuerySet[CapturedPrediction]:
    """Return what was captured at an endpoint. Needs ``prediction.view``."""
    authorize(actor, "prediction.view", endpoint, view="endpoint.view")
    return CapturedPrediction.objects.filter(endpoint=endpoint).select_related("part")


def contents(rows: Sequence[CapturedPrediction]) -> dict[int, parquet.ParquetRow]:
    """Return inputs and outputs of some predictions, by the key of their row.

    A file that was written anew meanwhile is looked for once more; what is in none is left out.
    """
    by_pk = _contents(rows)
    if len(by_pk) < len(rows):
        left = CapturedPrediction.objects.filter(pk__in={row.pk for row in rows} - by_pk.keys())
        by_pk |= _contents(left.select_related("part"))
    return by_pk


def _contents(rows: Iterable[CapturedPrediction]) -> dict[int, parquet.ParquetRow]:
    by_part: dict[str, list[CapturedPrediction]] = {}
    for row in rows:
        by_part.setdefault(row.part.sha256, []).append(row)
    by_pk: dict[int, parquet.ParquetRow] = {}
    for digest, mine in by_part.items():
        with suppress(BlobMissing):
            lines = parquet.find([digest], [str(row.prediction) for row in mine])
            by_pk |= {r.pk: lines[str(r.prediction)] for r in mine if str(r.prediction) in lines}
    return by_pk


def erasures_of(endpoint: Endpoint, actor: Actor) -> QuerySet[Erasure]:
    """Return what was erased at an endpoint. Needs ``prediction.view``."""
    authorize(actor, "prediction.view", endpoint, view="endpoint.view")
    return Erasure.objects.filter(endpoint=endpoint)


def captured_of(endpoint: Endpoint) -> list[Captured]:
    """Return how much was captured of the revisions that are present and capture something."""
    rows = endpoint.revisions.filter(state__in=PRESENT, serving__has_key="capture")
    revisions = list(rows.select_related("bento__version__model").order_by("-number"))
    if not revisions:
        return []
    until = now() - SETTLED
    since = until - timedelta(hours=HOURS)
    ids = [row.pk for row in revisions]
    kept = _kept(ids, since, until)
    answers = _answers(ids, since, until)
    amounts = []
    for row in revisions:
        capture = serving_config(row.serving).capture
        assert capture is not None
        count, chance = expected(answers.get(row.pk, 0), capture.percent)
        captured, dropped, unreadable = kept.get(row.pk, (0, 0, 0))
        amounts.append(Captured(row, capture, captured, count, chance, dropped, unreadable))
    return amounts


def _kept(revisions: Collection[str], since: Any, until: Any) -> Mapping[str, tuple[int, int, int]]:
    """Return how many predictions of each revision are here, were dropped, and are unreadable."""
    none = Value(0)
    here = CapturedPrediction.objects.filter(revision__in=revisions, at__gte=since, at__lte=until)
    faults = CaptureRange.objects.filter(file__revision__in=revisions, received_at__gte=since)
    rows = (
        here.order_by()
        .values_list("revision")
        .annotate(n=Count("pk"), d=none, u=none)
        .union(
            faults.order_by()
            .values_list("file__revision")
            .annotate(n=none, d=Sum("dropped"), u=Sum("unreadable")),
            all=True,
        )
    )
    counts: dict[str, tuple[int, int, int]] = {}
    for revision, captured, dropped, unreadable in rows:
        before = counts.get(revision, (0, 0, 0))
        counts[revision] = (before[0] + captured, before[1] + dropped, before[2] + unreadable)
    return counts


def _answers(revisions: Collection[str], since: Any, until: Any) -> Mapping[str, int]:
    """Return how many answers 2xx each revision gave, copies and testers included."""
    apart = [Coalesce(_apart(cohort), 0) for cohort in ("no_unit", "overridden", "mirrored")]
    windows = MetricWindow.objects.filter(
        revision__in=revisions, started_at__gte=since, started_at__lt=until
    )
    total = Sum(F("status_2xx") + apart[0] + apart[1] + apart[2])
    return dict(windows.values_list("revision").annotate(answers=total))


def _apart(cohort: str) -> Func:
    """``(apart #>> '{cohort,status_2xx}')::bigint``: two counts of a node may be more than int."""
    return Func(
        F("apart"),
        Value(cohort),
        Value("status_2xx"),
        output_field=BigIntegerField(),
        template="(jsonb_extract_path_text(%(expressions)s))::bigint",
    )


def blobs_needed(digests: Collection[str]) -> set[str]:
    """Return those of ``digests`` in which captured predictions lie."""
    rows = CapturePart.objects.filter(sha256__in=digests)
    return set(rows.values_list("sha256", flat=True))
