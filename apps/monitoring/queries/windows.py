"""Requests, errors and latency of revisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
)
from django.db.models.functions import Cast, Extract, Floor, Greatest

from apps.monitoring.models import MetricHour, MetricWindow
from apps.monitoring.rules import BOUNDS_MS, WindowCounts, total
from apps.serving.models import Revision
from placet.kernel.clock import now

STATUSES = ("status_2xx", "status_4xx", "status_5xx")
HOUR = 3600
LATE = 1.0  # second, after its due end, at which a busy node may have ended a window
BUCKETS = (*map(str, BOUNDS_MS), "inf")  # of a window's histogram


@dataclass(frozen=True, slots=True)
class Recent:
    """What a revision answered lately. Rates and latencies are ``None`` without requests."""

    revision: str
    minutes: int
    requests: int
    per_second: float
    error_rate: float | None  # server errors
    rejected_rate: float | None  # 4xx
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    units: int
    apart: Mapping[str, int]  # requests that no split decided on, by cohort
    trusted: bool  # False when a node said that its counts differ from HAProxy's

    @classmethod
    def of(cls, revision: str, minutes: int, counts: WindowCounts, *, trusted: bool) -> "Recent":
        """Return the figures of ``counts``."""
        return cls(
            revision=revision,
            minutes=minutes,
            requests=counts.requests,
            per_second=counts.requests / (minutes * 60),
            error_rate=counts.error_rate,
            rejected_rate=counts.rejected_rate,
            p50_ms=counts.percentile(0.50),
            p95_ms=counts.percentile(0.95),
            p99_ms=counts.percentile(0.99),
            units=counts.units,
            apart=counts.apart,
            trusted=trusted,
        )


@dataclass(frozen=True, slots=True)
class MeasuredCounts:
    """The counts of one revision over some time, and whether a node says they are incomplete."""

    counts: WindowCounts
    trusted: bool

    @classmethod
    def of(cls, rows: Iterable[MetricWindow], since: datetime) -> "MeasuredCounts":
        """Add up the windows that began at ``since`` or later."""
        late = [row for row in rows if row.started_at >= since]
        return cls(total(_counts(row) for row in late), not any(row.error for row in late))


def by_revision(
    revisions: Iterable[str], since: datetime, until: datetime | None = None
) -> dict[str, list[MetricWindow]]:
    """Return the windows of each revision that began at ``since`` or later, and before ``until`` if
    that is given, with one query."""
    windows_of: dict[str, list[MetricWindow]] = {revision: [] for revision in revisions}
    rows = MetricWindow.objects.filter(revision__in=windows_of, started_at__gte=since)
    for row in rows if until is None else rows.filter(started_at__lt=until):
        windows_of[row.revision].append(row)
    return windows_of


def since_each(sinces: Mapping[str, datetime]) -> dict[str, list[MetricWindow]]:
    """Return the windows of each revision that began at its own time or later, with one query."""
    windows_of: dict[str, list[MetricWindow]] = {revision: [] for revision in sinces}
    together: dict[datetime, list[str]] = {}
    for revision, since in sinces.items():
        together.setdefault(since, []).append(revision)
    wanted = Q(pk__in=[])
    for since, revisions in together.items():
        wanted |= Q(revision__in=revisions, started_at__gte=since)
    for row in MetricWindow.objects.filter(wanted):
        windows_of[row.revision].append(row)
    return windows_of


def windows(revision: str, since: datetime) -> list[MetricWindow]:
    """Return the windows of ``revision`` that began at ``since`` or later."""
    return list(MetricWindow.objects.filter(revision=revision, started_at__gte=since))


@dataclass(frozen=True, slots=True)
class WholeWindows:
    """What each revision answered in windows that lie wholly within some time, and when the first
    of them began and the last one ended."""

    counts: Mapping[str, WindowCounts]
    first: datetime | None
    last: datetime | None


def whole(revisions: Iterable[str], since: datetime, until: datetime | None = None) -> WholeWindows:
    """Return what each of ``revisions`` answered in the windows that began at ``since`` or later
    and ended by ``until``, if that is given; with one query."""
    windows_of = {
        revision: [row for row in rows if until is None or _end(row) <= until]
        for revision, rows in by_revision(revisions, since, until).items()
    }
    every = [row for rows in windows_of.values() for row in rows]
    return WholeWindows(
        {revision: total(map(_counts, rows)) for revision, rows in windows_of.items()},
        min((row.started_at for row in every), default=None),
        max(map(_end, every), default=None),
    )


def between(
    revisions: Iterable[str], since: datetime, until: datetime
) -> dict[str, MeasuredCounts]:
    """Return what each of ``revisions`` answered in the windows that touch that time.

    No window is longer than the minute that is looked back.
    """
    early = since - timedelta(minutes=1)
    return {
        revision: MeasuredCounts.of((row for row in rows if _end(row) > since), early)
        for revision, rows in by_revision(revisions, early, until).items()
    }


def _end(row: MetricWindow) -> datetime:
    return row.started_at + timedelta(seconds=row.seconds)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one revision answered in a stretch of time: what a split decided on, and copies."""

    drawn: WindowCounts
    mirrored: WindowCounts


def recent(revision: str, minutes: int = 5) -> Recent:
    """Return the figures of one revision over the last ``minutes``."""
    return recent_many([revision], minutes)[revision]


def recent_many(revisions: Iterable[str], minutes: int = 5) -> dict[str, Recent]:
    """Return the figures of several revisions with one query."""
    since = now() - timedelta(minutes=minutes)
    windows_of = by_revision(revisions, since)
    return {name: recent_of(name, rows, since, minutes) for name, rows in windows_of.items()}


def recent_of(revision: str, rows: Iterable[MetricWindow], since: datetime, minutes: int) -> Recent:
    """Return the figures of the windows that began at ``since`` or later."""
    measured = MeasuredCounts.of(rows, since)
    return Recent.of(revision, minutes, measured.counts, trusted=measured.trusted)


def series(
    revisions: Iterable[str], since: datetime, until: datetime, seconds: int
) -> dict[str, dict[int, Stretch]]:
    """Return what each revision answered in stretches of so many ``seconds``, with one query.

    A stretch is named by the time that it begins at, in seconds since 1970; one without a window
    is left out. The database adds up, because a rollout may go on for weeks.
    """
    names = list(revisions)
    rows = (
        _stretched(names, since, until, seconds)
        .values("revision", "begin")
        .annotate(
            time=Sum("seconds"),
            **{f"drawn_{name}": Sum(name) for name in STATUSES},
            **{f"drawn_{name}": _sum("latency", name) for name in BUCKETS},
            **{f"mirrored_{name}": _sum("apart", "mirrored", name) for name in STATUSES},
            **{f"mirrored_{n}": _sum("apart", "mirrored", "latency", n) for n in BUCKETS},
        )
    )
    stretches: dict[str, dict[int, Stretch]] = {name: {} for name in names}
    for row in rows:
        stretches[row["revision"]][row["begin"]] = Stretch(
            part(row, "drawn"), part(row, "mirrored")
        )
    return stretches


def traffic(
    revisions: Iterable[str] | QuerySet[Any], since: datetime, until: datetime, seconds: int
) -> dict[int, WindowCounts]:
    """Return what clients saw of all these revisions together, in stretches as ``series`` has.

    With one query, which adds up in the database: twice as many rows come as there are stretches.
    """
    found: dict[int, WindowCounts] = {}
    for row in _of_clients(revisions, since, until, seconds):
        counts = part(row, "seen")
        before = found.get(row["begin"])
        found[row["begin"]] = total([before, counts]) if before else counts
    return found


def requests_of(
    revisions: Iterable[str], since: datetime, until: datetime, seconds: int
) -> dict[str, dict[int, int]]:
    """Return how many requests of clients each revision answered, in stretches as ``series`` has.

    With one query, however many revisions there are.
    """
    names = list(revisions)
    return _requests(names, _stretched(names, since, until, seconds), F("revision"))


def requests_at(
    endpoints: Iterable[str], since: datetime, until: datetime, seconds: int
) -> dict[str, dict[int, int]]:
    """Return the same of each endpoint, whichever of its revisions answered."""
    names = list(endpoints)
    own = Revision.objects.filter(endpoint__in=names).values("pk")
    at = Revision.objects.filter(pk=OuterRef("revision")).values("endpoint")
    return _requests(names, _stretched(own, since, until, seconds), Subquery(at))


def _requests(
    names: Iterable[str], rows: QuerySet[Any], of: F | Subquery
) -> dict[str, dict[int, int]]:
    """Add up by revision; ``of`` says of each sum, and not of each window, what it counts for."""
    without = [_sum("apart", "no_unit", name) for name in STATUSES]
    added: QuerySet[Any, Any] = rows.values("revision", "begin").annotate(
        drawn=sum((Sum(name) for name in STATUSES[1:]), Sum(STATUSES[0])),
        without=sum(without[1:], without[0]),
        of=of,
    )
    found: dict[str, dict[int, int]] = {name: {} for name in names}
    for row in added:
        counted = found[row["of"]]
        counted[row["begin"]] = counted.get(row["begin"], 0) + row["drawn"] + row["without"]
    return found


def _of_clients(
    revisions: Iterable[str] | QuerySet[Any], since: datetime, until: datetime, seconds: int
) -> QuerySet[Any, Any]:
    """Add up what clients saw. Stretches of whole hours are read from the hours that are added up,
    and from the windows since: in one query, so that no hour counts twice or not at all."""
    rows = _stretched(revisions, since, until, seconds)
    if seconds % HOUR or since.timestamp() % HOUR:
        return seen_by_clients(rows, "begin")
    hours = MetricHour.objects.filter(revision__in=revisions, started_at__gte=since)
    hours = begun(hours.filter(started_at__lt=until), seconds)
    newest = MetricHour.objects.order_by("-started_at").values("started_at")[:1]
    since_then = Q(newest=None) | Q(started_at__gte=F("newest") + timedelta(seconds=HOUR))
    rows = rows.annotate(newest=Subquery(newest)).filter(since_then)
    both: QuerySet[Any, Any] = summed(hours, ("begin",)).union(
        seen_by_clients(rows, "begin"), all=True
    )
    return both


def seen_by_clients(rows: QuerySet[Any], *by: str) -> QuerySet[Any, Any]:
    """Add windows up to what clients saw: the requests that a split decided on, and those without a
    unit."""
    without = {name: _sum("apart", "no_unit", name) for name in STATUSES}
    without |= {name: _sum("apart", "no_unit", "latency", name) for name in BUCKETS}
    return summed(rows, by, without)


def summed(
    rows: QuerySet[Any], by: tuple[str, ...], more: Mapping[str, Any] | None = None
) -> QuerySet[Any, Any]:
    """Add up what stands in rows of windows or hours, and ``more`` to each sum."""
    sums = {name: Sum(name) for name in STATUSES} | {n: _sum("latency", n) for n in BUCKETS}
    added: QuerySet[Any, Any] = rows.values(*by).annotate(
        time=Sum("seconds"),
        **{f"seen_{name}": one + more[name] if more else one for name, one in sums.items()},
    )
    return added


def _stretched(
    revisions: Iterable[str] | QuerySet[Any], since: datetime, until: datetime, seconds: int
) -> QuerySet[Any, Any]:
    """Return the windows that began in that time, each with the ``begin`` of its stretch.

    An older agent's window may lie in two of them: it is in the one that it ended in, for a request
    was never made after the stretch that it stands in. Hours are added up by when windows began.
    """
    rows = MetricWindow.objects.filter(
        revision__in=revisions, started_at__gte=since, started_at__lt=until
    )
    if seconds % HOUR == 0:
        return begun(rows, seconds)
    ended = Extract("started_at", "epoch") + Greatest(F("seconds") - LATE, 0.0)
    return _with_begin(rows, ended, seconds)


def begun(rows: QuerySet[Any], seconds: int) -> QuerySet[Any]:
    """Give each row the ``begin`` of the stretch of so many seconds that it began in."""
    return _with_begin(rows, Extract("started_at", "epoch"), seconds)


def _with_begin(rows: QuerySet[Any], at: Any, seconds: int) -> QuerySet[Any]:
    begin = Cast(Floor(at / seconds) * seconds, IntegerField())
    with_begin: QuerySet[Any] = rows.order_by().annotate(begin=begin)
    return with_begin


def _sum(column: str, *path: str) -> Sum:
    """Return the sum of a number inside of a JSON column."""
    member = Func(
        F(column), *map(Value, path), function="jsonb_extract_path_text", output_field=TextField()
    )
    return Sum(Cast(member, BigIntegerField()), default=0)


def part(row: Mapping[str, Any], name: str) -> WindowCounts:
    """Return one part of what was added up: ``seen``, ``drawn`` or ``mirrored``."""
    two, four, five = (row[f"{name}_{status}"] for status in STATUSES)
    latency = {bucket: row[f"{name}_{bucket}"] for bucket in BUCKETS}
    return WindowCounts(two, four, five, row["time"], latency)


def _counts(row: MetricWindow) -> WindowCounts:
    """Return what clients saw: the requests that a split decided on, and those without a unit."""
    units = WindowCounts(**row.first).requests if row.first else 0
    parts = {name: WindowCounts(**part) for name, part in (row.apart or {}).items()}
    drawn = WindowCounts(
        row.status_2xx,
        row.status_4xx,
        row.status_5xx,
        row.seconds,
        row.latency,
        units,
        {name: part.requests for name, part in parts.items()},
    )
    return total([drawn, parts["no_unit"]]) if "no_unit" in parts else drawn
