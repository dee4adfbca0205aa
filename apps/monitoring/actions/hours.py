"""Adding windows up to hours, once these are over."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Min, Q, QuerySet

from apps.monitoring.models import MetricHour, MetricWindow
from apps.monitoring.queries.windows import BUCKETS, HOUR, STATUSES, begun, seen_by_clients
from placet.kernel.clock import now

LOCK = 0x686F7572  # any number that no other advisory lock has: held by all who add windows
AN_HOUR = timedelta(seconds=HOUR)
SETTLED = timedelta(minutes=5)  # after an hour; what comes later has it added up anew
AT_ONCE = timedelta(days=1)  # in one transaction
MOST_STALE = 100  # hours, each of at most 3,600 windows of a node, in one call
Hour = tuple[str, datetime]  # a revision, and when the hour began
SUMS = ("seconds", *STATUSES, "latency", "stale_since")


def hour_of(at: datetime) -> datetime:
    """Return the beginning of the hour."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def add_up_hours() -> dict[str, int]:
    """Add up the hours that are over, and those that a window came to later; return how many rows
    were written for each."""
    return {"hours": _new_hours(), "stale": _stale_hours()}


def note_late(hours: Iterable[Hour]) -> None:
    """Have those of ``hours`` that are added up already added up anew, whose turn comes by when
    they were first said to be: who says so again and again takes no turn of anybody else.

    The caller holds :func:`hold_hours` since before it stored the windows that came late.
    """
    until = _added_up_until()
    late = sorted({hour for hour in hours if until and hour[1] < until})
    if not late:
        return
    rows = [MetricHour(revision=revision, started_at=at) for revision, at in late]
    MetricHour.objects.bulk_create(rows, ignore_conflicts=True)
    named = Q()
    for revision, at in late:
        named |= Q(revision=revision, started_at=at)
    stale = MetricHour.objects.filter(named, stale_since=None).order_by("revision", "started_at")
    held = stale.select_for_update(no_key=True).values_list("pk", flat=True)
    MetricHour.objects.filter(pk__in=list(held)).update(stale_since=now())


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
    begin, end, made = None, hour_of(now() - SETTLED), 0
    while begin is None or begin < end:
        with transaction.atomic():
            hold_hours(alone=True)
            begin = begin or _added_up_until() or _first_hour(end)
            made += _write(_windows(begin, min(begin + AT_ONCE, end)))
        begin += AT_ONCE
    return made


def _first_hour(last: datetime) -> datetime:
    first = MetricWindow.objects.aggregate(first=Min("started_at"))["first"]
    return hour_of(first) if first else last


def _stale_hours() -> int:
    stale = MetricHour.objects.exclude(stale_since=None).order_by("stale_since", "pk")[:MOST_STALE]
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
