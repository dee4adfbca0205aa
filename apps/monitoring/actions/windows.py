"""Storing metric windows. They are measurements, not decisions: the log does not repeat them."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.db.models.functions import TruncHour

from apps.monitoring.actions.hours import AN_HOUR, hold_hours, hour_of, note_late
from apps.monitoring.models import MetricHour, MetricWindow
from apps.monitoring.rules import valid_latency
from apps.serving.models import Revision
from apps.serving.windows import KEEP_DAYS, kept_period
from placet.kernel.clock import now
from placet.kernel.faults import crash_point

MOST_AN_HOUR = 3600  # windows of one revision; an agent makes one every few seconds
COUNTED = ("status_2xx", "status_4xx", "status_5xx", "latency")  # a redirect is no prediction


def ingest(node: str, windows: Sequence[dict[str, Any]]) -> int:
    """Store the windows that ``node`` measured of its own revisions; return how many were new.

    A window comes again when the reply to a report was lost: (node, revision, start) names it,
    and the first one stays. What begins in the future, or before what is kept, or is more of an
    hour than :data:`MOST_AN_HOUR` is dropped: a node could fill the database with it.
    """
    wanted = {window["revision"] for window in windows}
    own = set(
        Revision.objects.filter(pk__in=wanted, endpoint__target__node=node).values_list(
            "pk", flat=True
        )
    )
    rows = [
        _row(node, window)
        for window in windows
        if window["revision"] in own and all(map(valid_latency, _latencies(window)))
    ]
    rows = _bounded(node, rows)
    crash_point("monitoring.before_windows")
    with transaction.atomic():
        hold_hours()
        rows = _new(node, rows)
        MetricWindow.objects.bulk_create(rows, ignore_conflicts=True)
        note_late((row.revision, hour_of(row.started_at)) for row in rows)
    crash_point("monitoring.after_windows")
    return len(rows)


def _new(node: str, rows: list[MetricWindow]) -> list[MetricWindow]:
    """Return those of ``rows`` that are not stored yet."""
    begun = {row.started_at for row in rows}
    there = MetricWindow.objects.filter(node=node, started_at__in=begun)
    known = set(there.values_list("revision", "started_at"))
    found: dict[tuple[str, datetime], MetricWindow] = {}
    for row in rows:
        found.setdefault((row.revision, row.started_at), row)
    return [row for key, row in found.items() if key not in known]


def _bounded(node: str, rows: list[MetricWindow]) -> list[MetricWindow]:
    """Return those of ``rows`` that there is room for, in the order of time."""
    first, last = kept_period()
    timely = sorted(
        (row for row in rows if first <= row.started_at <= last), key=lambda row: row.started_at
    )
    if not timely:
        return []
    there = (
        MetricWindow.objects.filter(
            node=node,
            revision__in={row.revision for row in timely},
            started_at__gte=hour_of(timely[0].started_at),
            started_at__lt=hour_of(timely[-1].started_at) + AN_HOUR,
        )
        .annotate(hour=TruncHour("started_at", tzinfo=UTC))
        .values_list("revision", "hour")
        .annotate(count=Count("pk"))
    )
    taken = Counter({(revision, hour): count for revision, hour, count in there})
    room = []
    for row in timely:
        taken[row.revision, hour_of(row.started_at)] += 1
        if taken[row.revision, hour_of(row.started_at)] <= MOST_AN_HOUR:
            room.append(row)
    return room


def _latencies(window: dict[str, Any]) -> list[dict[str, int]]:
    parts = [window, *window.get("apart", {}).values()]
    return [part["latency"] for part in [*parts, window.get("first")] if part]


def _row(node: str, window: dict[str, Any]) -> MetricWindow:
    return MetricWindow(
        node=node,
        revision=window["revision"],
        # PostgreSQL takes no offset of 16 hours or more
        started_at=datetime.fromisoformat(window["started_at"]).astimezone(UTC),
        seconds=window["seconds"],
        status_2xx=window["status_2xx"],
        status_4xx=window["status_4xx"],
        status_5xx=window["status_5xx"],
        latency=window["latency"],
        first=_counted(window["first"]) if window.get("first") else None,
        apart={name: _counted(part) for name, part in window.get("apart", {}).items()} or None,
        error=window.get("error", ""),
    )


def _counted(part: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored of some counts."""
    return {name: part[name] for name in COUNTED}


def forget_old() -> int:
    """Delete windows and hours older than a month; return how many windows."""
    limit = now() - timedelta(days=KEEP_DAYS)
    MetricHour.objects.filter(started_at__lt=limit).delete()
    return MetricWindow.objects.filter(started_at__lt=limit).delete()[0]
