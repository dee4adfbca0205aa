"""Objectives, and how endpoints stand to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from apps.monitoring.models import MetricWindow, Objective
from apps.monitoring.queries.windows import (
    MeasuredCounts,
    Recent,
    by_revision,
    recent_of,
    since_each,
    windows,
)
from apps.monitoring.rules import ObjectiveStatus, judge
from apps.registry.queries import large_of
from apps.serving.models import Endpoint, Revision
from apps.serving.queries import node_of, node_status
from apps.serving.rules import EndpointState, RevisionState
from placet.kernel.clock import now


@dataclass(frozen=True)
class Watched:
    """An objective, the revision it is about now, and how that stands."""

    objective: Objective
    revision: Revision
    windows: Sequence[MetricWindow]
    since: datetime
    at: datetime

    @cached_property
    def verdict(self) -> ObjectiveStatus:
        """How it stands: found when asked for, so that windows that cannot be counted are a matter
        of this one alone."""
        return verdict_of(self.objective, MeasuredCounts.of(self.windows, self.since), self.at)


def objective_of(endpoint: Endpoint) -> Objective | None:
    """Return what ``endpoint`` is held to, if anything."""
    return Objective.objects.select_related("endpoint").filter(endpoint=endpoint).first()


def objective_with(endpoint: Endpoint) -> Objective | None:
    """Return the objective that was fetched with ``endpoint`` (``select_related``)."""
    objective: Objective | None = getattr(endpoint, "objective", None)
    return objective


def stands(objective: Objective, live: Revision, at: datetime) -> ObjectiveStatus:
    """Return how the live revision stands: only what it answered itself, since it went live."""
    since = since_of(objective, live, at)
    return verdict_of(objective, MeasuredCounts.of(windows(live.pk, since), since), at)


def figures(
    live: Revision, objective: Objective | None, *, beside: Iterable[str], minutes: int
) -> tuple[dict[str, Recent], ObjectiveStatus | None]:
    """Return what the live revision and those ``beside`` it answered lately, and how it stands,
    with one query."""
    at = now()
    recently = at - timedelta(minutes=minutes)
    since = since_of(objective, live, at) if objective else recently
    windows_of = by_revision([live.pk, *beside], min(recently, since))
    recent = {name: recent_of(name, rows, recently, minutes) for name, rows in windows_of.items()}
    verdict = (
        verdict_of(objective, MeasuredCounts.of(windows_of[live.pk], since), at)
        if objective
        else None
    )
    return recent, verdict


def since_of(objective: Objective, live: Revision, at: datetime) -> datetime:
    """Return when the time that is judged began: never before the revision went live."""
    since = at - timedelta(minutes=objective.window_minutes)
    return max(since, live.live_at) if live.live_at else since


def verdict_of(objective: Objective, found: MeasuredCounts, at: datetime) -> ObjectiveStatus:
    """Hold what was measured against the objective."""
    node = node_of(objective.endpoint.target)
    return judge(
        objective.terms,
        found.counts,
        trusted=found.trusted,
        alive=node is not None and node_status(node, at).alive,
    )


def watched(endpoints: Iterable[str] | None = None) -> list[Watched]:
    """Return how every active endpoint, or each of ``endpoints``, with an objective and a live
    revision stands.

    With three queries, however many there are: it is asked every ten seconds.
    """
    rows = Objective.objects.filter(endpoint__state=EndpointState.ACTIVE).select_related(
        "endpoint__target__node", "endpoint__project"
    )
    if endpoints is not None:
        rows = rows.filter(endpoint__in=list(endpoints))
    revisions = Revision.objects.filter(
        state=RevisionState.LIVE, endpoint__in=rows.values("endpoint")
    ).select_related("bento__version__model")
    live = {row.endpoint_id: row for row in revisions.defer(*large_of("bento__version"))}
    at = now()
    held = [(row, live[row.endpoint_id]) for row in rows.order_by("pk") if row.endpoint_id in live]
    sinces = {revision.pk: since_of(row, revision, at) for row, revision in held}
    windows_of = since_each(sinces)
    return [
        Watched(row, revision, windows_of[revision.pk], sinces[revision.pk], at)
        for row, revision in held
    ]


def name_of(endpoint: Endpoint) -> str:
    """Return an endpoint as people name it."""
    return f"{endpoint.name} in {endpoint.environment}"


def owner_of(endpoint: Endpoint) -> str:
    """Return the person named by the endpoint's objective, '' when there is none."""
    objective = objective_of(endpoint)
    return objective.owner if objective else ""
