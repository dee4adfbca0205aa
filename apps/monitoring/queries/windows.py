"""Requests, errors and latency of revisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.monitoring.models import MetricWindow
from apps.monitoring.rules import Counts, total
from placet.kernel.clock import now


@dataclass(frozen=True, slots=True)
class Recent:
    """What a revision answered lately. Rates and latencies are ``None`` without requests."""

    revision: str
    minutes: int
    requests: int
    per_second: float
    error_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    units: int
    apart: Mapping[str, int]  # requests that no split decided on, by cohort
    trusted: bool  # False when a node said that its counts differ from HAProxy's

    @classmethod
    def of(cls, revision: str, minutes: int, counts: Counts, *, trusted: bool) -> "Recent":
        """Return the figures of ``counts``."""
        return cls(
            revision=revision,
            minutes=minutes,
            requests=counts.requests,
            per_second=counts.requests / (minutes * 60),
            error_rate=counts.error_rate,
            p50_ms=counts.percentile(0.50),
            p95_ms=counts.percentile(0.95),
            p99_ms=counts.percentile(0.99),
            units=counts.units,
            apart=counts.apart,
            trusted=trusted,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """The counts of one revision over some time, and whether a node says they are incomplete."""

    counts: Counts
    trusted: bool

    @classmethod
    def of(cls, rows: Iterable[MetricWindow], since: datetime) -> "Measured":
        """Add up the windows that began at ``since`` or later."""
        late = [row for row in rows if row.started_at >= since]
        return cls(total(_counts(row) for row in late), not any(row.error for row in late))


def by_revision(revisions: Iterable[str], since: datetime) -> dict[str, list[MetricWindow]]:
    """Return the windows of each revision that began at ``since`` or later, with one query."""
    found: dict[str, list[MetricWindow]] = {revision: [] for revision in revisions}
    for row in MetricWindow.objects.filter(revision__in=found, started_at__gte=since):
        found[row.revision].append(row)
    return found


def windows(revision: str, since: datetime) -> list[MetricWindow]:
    """Return the windows of ``revision`` that began at ``since`` or later."""
    return list(MetricWindow.objects.filter(revision=revision, started_at__gte=since))


def counts_of(revisions: Iterable[str], since: datetime) -> dict[str, Counts]:
    """Return what each of ``revisions`` answered since then, with one query."""
    found = by_revision(revisions, since)
    return {revision: total(map(_counts, rows)) for revision, rows in found.items()}


@dataclass(frozen=True, slots=True)
class Point:
    """One window of a chart."""

    started_at: datetime
    requests: int
    error_rate: float | None
    p95_ms: float | None


def recent(revision: str, minutes: int = 5) -> Recent:
    """Return the figures of one revision over the last ``minutes``."""
    return recent_many([revision], minutes)[revision]


def recent_many(revisions: Iterable[str], minutes: int = 5) -> dict[str, Recent]:
    """Return the figures of several revisions with one query."""
    since = now() - timedelta(minutes=minutes)
    found = by_revision(revisions, since)
    return {name: recent_of(name, rows, since, minutes) for name, rows in found.items()}


def recent_of(revision: str, rows: Iterable[MetricWindow], since: datetime, minutes: int) -> Recent:
    """Return the figures of the windows that began at ``since`` or later."""
    measured = Measured.of(rows, since)
    return Recent.of(revision, minutes, measured.counts, trusted=measured.trusted)


def series(revision: str, minutes: int = 60) -> list[Point]:
    """Return the windows of one revision in order of time, for a chart."""
    since = now() - timedelta(minutes=minutes)
    rows = MetricWindow.objects.filter(revision=revision, started_at__gte=since)
    points = []
    for row in rows.order_by("started_at"):
        counts = _counts(row)
        points.append(
            Point(row.started_at, counts.requests, counts.error_rate, counts.percentile(0.95))
        )
    return points


def _counts(row: MetricWindow) -> Counts:
    """Return what clients saw: the requests that a split decided on, and those without a unit."""
    units = Counts(**row.first).requests if row.first else 0
    parts = {name: Counts(**part) for name, part in (row.apart or {}).items()}
    drawn = Counts(
        row.status_2xx, row.status_4xx, row.status_5xx, row.seconds, row.latency, units,
        {name: part.requests for name, part in parts.items()},
    )  # fmt: skip
    return total([drawn, parts["no_unit"]]) if "no_unit" in parts else drawn
