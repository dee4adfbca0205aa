"""Adding windows up to hours, once these are over."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Min, QuerySet

from apps.monitoring.models import MetricHour, MetricWindow
from apps.monitoring.queries.windows import BUCKETS, HOUR, STATUSES, begun, seen_by_clients
from placet.kernel.clock import now

LOCK = 0x686F7572  # any number that no other advisory lock has: held by all who add windows
AN_HOUR = timedelta(seconds=HOUR)
SETTLED = timedelta(minutes=5)  # after an hour; what comes later has it added up anew
AT_ONCE = timedelta(days=1)  # in one transaction
MOST_STALE = 500  # hours, each of at most 3,600 windows of a node, in one call
SUMS = ("seconds", *STATUSES, "latency", "stale")


def hour_of(at: datetime) -> datetime:
    """Return the beginning of the hour."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def add_up_hours() -> dict[str, int]:
    """Add up the hours that are over, and those that a window came to later; return how many rows
    were written for each."""
    return {"hours": _new_hours(), "stale": _stale_hours()}


def note_late(rows: Iterable[MetricWindow]) -> None:
    """Have the hours of ``rows`` that are added up already added up anew.

    The caller holds :func:`hold_hours` since before the rows were stored.
    """
    until = _added_up_until()
    hours = {(row.revision, hour_of(row.started_at)) for row in rows}
    late = [(revision, hour) for revision, hour in hours if until and hour < until]
    if not late:
        return
    MetricHour.objects.bulk_create(
        [MetricHour(revision=revision, started_at=hour, stale=True) for revision, hour in late],
        update_conflicts=True,
        unique_fields=["revision", "started_at"],
        update_fields=["stale"],
    )


def hold_hours(*, alone: bool = False) -> None:
    """Keep hours from being added up while windows are stored, or windows from being stored while
    they are (``alone``), until the transaction ends."""
    name = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name}(%s)", [LOCK])


def _added_up_until() -> datetime | None:
    newest = MetricHour.objects.order_by("-started_at").first()
    return newest.started_at + AN_HOUR if newest else None


def _new_hours() -> int:
    begin, end, made = _added_up_until(), hour_of(now() - SETTLED), 0
    if begin is None:
        first = MetricWindow.objects.aggregate(first=Min("started_at"))["first"]
        begin = hour_of(first) if first else end
    while begin < end:
        until = min(begin + AT_ONCE, end)
        with transaction.atomic():
            hold_hours(alone=True)
            made += _write(_windows(begin, until))
        begin = until
    return made


def _stale_hours() -> int:
    stale = MetricHour.objects.filter(stale=True).order_by("started_at")[:MOST_STALE]
    rows = list(stale.values_list("revision", "started_at"))
    for revision, hour in rows:
        with transaction.atomic():
            hold_hours(alone=True)
            _write(_windows(hour, hour + AN_HOUR).filter(revision=revision))
    return len(rows)


def _windows(begin: datetime, end: datetime) -> QuerySet[MetricWindow]:
    return MetricWindow.objects.filter(started_at__gte=begin, started_at__lt=end)


def _write(windows: QuerySet[MetricWindow]) -> int:
    rows = [_row(sums) for sums in seen_by_clients(begun(windows, HOUR), "revision", "begin")]
    MetricHour.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["revision", "started_at"],
        update_fields=SUMS,
    )
    return len(rows)


def _row(sums: dict[str, Any]) -> MetricHour:
    return MetricHour(
        revision=sums["revision"],
        started_at=datetime.fromtimestamp(sums["begin"], UTC),
        seconds=sums["time"],
        latency={name: count for name in BUCKETS if (count := sums[f"seen_{name}"])},
        **{name: sums[f"seen_{name}"] for name in STATUSES},
    )
