"""What an endpoint answered over time, and what happened to it meanwhile."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from django.core.cache import cache

from apps.identity.queries import visible
from apps.monitoring.queries import traffic, visible_alerts
from apps.monitoring.rules import WindowCounts
from apps.rollouts.models import Rollout
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving.models import Endpoint
from apps.serving.rules import EndpointState
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput


@dataclass(frozen=True, slots=True)
class TrafficRange:
    """How far one looks back, and how many seconds each of the at most 300 stretches has."""

    name: str
    words: str
    time: timedelta
    seconds: int


RANGES: Final = {
    row.name: row
    for row in (
        TrafficRange("1h", "1 hour", timedelta(hours=1), 30),
        TrafficRange("6h", "6 hours", timedelta(hours=6), 120),
        TrafficRange("24h", "24 hours", timedelta(hours=24), 300),
        TrafficRange("7d", "7 days", timedelta(days=7), 3600),
        TrafficRange("30d", "30 days", timedelta(days=30), 10800),
    )
}
FIRST: Final = "1h"  # what is shown where nothing was chosen
SETTLED = 30  # seconds: what is younger may still be on its way
WINDOW = 10  # seconds, of a node
KEPT_FROM = 300  # seconds of a stretch: the sums of such are kept for who asks next, ...
KEPT = 30  # ... so many seconds
MOST_MARKS = 20  # of rollouts, and as many of alerts

MarkKind = Literal["rollout", "rollback", "drill", "alert"]
ENDS = {
    RolloutState.DONE: "finished",
    RolloutState.ABORTED: "aborted",
    RolloutState.FAILED: "failed",
}
NAMES: Final[dict[str, tuple[MarkKind, str]]] = {
    RolloutKind.RELEASE: ("rollout", "Rollout of"),
    RolloutKind.ROLLBACK: ("rollback", "Rollback"),
    RolloutKind.DRILL: ("drill", "Rollback test"),
}


@dataclass(frozen=True, slots=True)
class TrafficPoint:
    """One stretch of time: what clients saw of all revisions together."""

    at: datetime
    seconds: int  # fewer in the one that is under way
    counts: WindowCounts


@dataclass(frozen=True, slots=True)
class TrafficMark:
    """Something that happened to the endpoint, in words."""

    at: datetime
    kind: MarkKind
    says: str
    id: str  # of the rollout or the alert


@dataclass(frozen=True, slots=True)
class Traffic:
    """An endpoint over time. A stretch in which nothing was counted is left out."""

    range: TrafficRange
    since: datetime
    until: datetime
    growing: bool
    points: list[TrafficPoint]
    marks: list[TrafficMark]


def range_of(text: str) -> TrafficRange:
    """Return the range that somebody asks for; raise :class:`InvalidInput` for none of them."""
    found = RANGES.get(text or FIRST)
    if found is None:
        raise InvalidInput(errors=[FieldError("range", f"One of {', '.join(RANGES)}")])
    return found


def traffic_of(endpoint: Endpoint, chosen: TrafficRange, actor: Actor) -> Traffic:
    """Return what ``endpoint`` answered until now, with what the reader may know happened to it.

    Three queries, whose answers are bounded however long it is and whatever went on.
    """
    seconds, settled = chosen.seconds, int(now().timestamp()) - SETTLED
    until = settled - settled % (WINDOW if seconds < KEPT_FROM else KEPT)
    begin = (until - int(chosen.time.total_seconds())) // seconds * seconds + seconds
    since, end = datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(until, UTC)
    found = _counted(endpoint, since, end, seconds)
    points = [
        TrafficPoint(datetime.fromtimestamp(at, UTC), min(seconds, until - at), found[at])
        for at in sorted(found)
        if at < until  # else of a window that ended since
    ]
    marks = [*_moves(endpoint, since, actor), *_alerts(endpoint, since, actor)]
    return Traffic(
        range=chosen,
        since=since,
        until=end,
        growing=endpoint.state != EndpointState.DELETED,
        points=points,
        marks=sorted(marks, key=lambda mark: mark.at),
    )


def _counted(
    endpoint: Endpoint, since: datetime, until: datetime, seconds: int
) -> dict[int, WindowCounts]:
    """Add up the windows of that time; once, however many ask: of 30 days there may be 260,000."""
    if seconds < KEPT_FROM:
        return traffic(endpoint.revisions.values("pk"), since, until, seconds)
    key = f"traffic {endpoint.pk} {seconds} {since.timestamp():.0f} {until.timestamp():.0f}"
    if (kept := cache.get(key)) is not None:
        return {int(at): WindowCounts(**counts) for at, counts in kept.items()}
    found = traffic(endpoint.revisions.values("pk"), since, until, seconds)
    cache.set(key, {at: _as_json(counts) for at, counts in found.items()}, KEPT)
    return found


def _as_json(counts: WindowCounts) -> dict[str, Any]:
    values = ((field.name, getattr(counts, field.name)) for field in fields(counts))
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values}


def _moves(endpoint: Endpoint, since: datetime, actor: Actor) -> Iterator[TrafficMark]:
    every = Rollout.objects.filter(endpoint=endpoint).select_related("from_revision", "to_revision")
    rows = visible(every, actor, view="rollout.view").exclude(finished_at__lt=since)
    rows = rows.defer("from_revision__permit", "to_revision__permit")
    for row in rows.order_by("-created_at")[:MOST_MARKS]:
        kind, name = NAMES[row.kind]
        what = f"{name} {_way(row)}"
        if row.created_at >= since:
            yield TrafficMark(row.created_at, kind, f"{what} started", row.pk)
        if row.finished_at:
            how = ENDS[RolloutState(row.state)]
            yield TrafficMark(row.finished_at, kind, f"{what} {how}", row.pk)


def _way(row: Rollout) -> str:
    """Say which revision a release brings, or from which to which it goes back."""
    there = f"revision {row.to_revision.number}"
    if row.kind == RolloutKind.RELEASE or row.from_revision is None:
        return there
    return f"from revision {row.from_revision.number} to {there}"


def _alerts(endpoint: Endpoint, since: datetime, actor: Actor) -> Iterator[TrafficMark]:
    rows = visible_alerts(actor).filter(endpoint=endpoint).exclude(resolved_at__lt=since)
    for row in rows.order_by("-opened_at")[:MOST_MARKS]:
        name = row.get_kind_display()
        if row.opened_at >= since:
            yield TrafficMark(row.opened_at, "alert", f"Alert: {name}", row.pk)
        if row.resolved_at:
            yield TrafficMark(row.resolved_at, "alert", f"Resolved: {name}", row.pk)
