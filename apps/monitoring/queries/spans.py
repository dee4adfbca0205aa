"""What clients saw of revisions, each in a time of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Case, F, IntegerField, Q, QuerySet, Subquery, Value, When

from apps.monitoring.models import MetricHour, MetricWindow
from apps.monitoring.queries.windows import HOUR, part, seen_by_clients, summed
from apps.monitoring.rules import WindowCounts, total

AN_HOUR = timedelta(seconds=HOUR)


@dataclass(frozen=True, slots=True)
class Span:
    """A time of one revision."""

    revision: str
    since: datetime
    until: datetime

    @property
    def first_hour(self) -> datetime:
        """When the first hour begins that lies wholly within it."""
        return _hour(self.since + AN_HOUR - timedelta(microseconds=1))

    @property
    def last_hour(self) -> datetime:
        """When the last such hour ends; not after the first begins where there is none."""
        return max(_hour(self.until), self.first_hour)

    @property
    def windows(self) -> Q:
        """The windows that began in it."""
        return Q(revision=self.revision, started_at__gte=self.since, started_at__lt=self.until)

    @property
    def hours(self) -> Q:
        """The hours that lie wholly within it."""
        begun = Q(started_at__gte=self.first_hour, started_at__lt=self.last_hour)
        return Q(revision=self.revision) & begun


def seen_in(spans: Sequence[Span]) -> list[WindowCounts]:
    """Return what clients saw of each revision in windows that began in its time, with one query.

    Whole hours are read from the hours that are added up, as far as these go: no window counts
    twice or not at all. Two spans of one revision must not overlap.
    """
    parts: list[list[WindowCounts]] = [[] for _ in spans]
    if not spans:
        return []
    windows = _in_spans(MetricWindow.objects.order_by(), [span.windows for span in spans])
    hours = _in_spans(MetricHour.objects.order_by(), [span.hours for span in spans])
    newest = MetricHour.objects.order_by("-started_at").values("started_at")[:1]
    windows = windows.annotate(newest=Subquery(newest))
    since_then = Q(newest=None) | Q(started_at__gte=F("newest") + AN_HOUR)
    beside = ~_any([span.hours for span in spans])
    rows = summed(hours, ("span",)).union(
        seen_by_clients(windows.filter(since_then | beside), "span"), all=True
    )
    for row in rows:
        parts[row["span"]].append(part(row, "seen"))
    return [total(counts) for counts in parts]


def _in_spans(rows: QuerySet[Any], conditions: Sequence[Q]) -> QuerySet[Any, Any]:
    """Return the rows of any of the spans, each with the place of its own."""
    cases = [When(one, then=Value(at)) for at, one in enumerate(conditions)]
    place = Case(*cases, output_field=IntegerField())
    found: QuerySet[Any, Any] = rows.filter(_any(conditions)).annotate(span=place)
    return found


def _any(conditions: Sequence[Q]) -> Q:
    either = conditions[0]
    for one in conditions[1:]:
        either |= one
    return either


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
