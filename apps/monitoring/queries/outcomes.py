"""Reported outcomes: what an analysis counts, and what people read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Avg, Count, F, OuterRef, Q, QuerySet, Subquery

from apps.identity.queries import authorize
from apps.monitoring.models import CapturedPrediction, Outcome
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import Actor


def count_outcomes(
    revision: str, name: str, *, worst: float, best: float, since: datetime, by_unit: bool
) -> tuple[int, int]:
    """Return how many outcomes count for a revision, and how many of them as bad.

    Those of predictions since then that a split decided on; with ``by_unit`` each unit's first. A
    value from ``best`` to ``worst`` is bad as often as it lies near ``worst`` (``rules.draw_of``).
    """
    rows = Outcome.objects.filter(
        revision=revision, name=name, predicted_at__gte=since, cohort="", place__isnull=False
    )
    if by_unit:
        first = rows.exclude(unit="").order_by("unit", "place").distinct("unit")
        rows = Outcome.objects.filter(pk__in=first.values("pk"))
    bad = Q(draw__lt=(F("value") - best) / (worst - best))
    counts = rows.aggregate(trials=Count("pk"), bad=Count("pk", filter=bad))
    return counts["trials"], counts["bad"]


def outcomes_of(endpoint: Endpoint, actor: Actor) -> QuerySet[Outcome]:
    """Return what was reported at an endpoint. Needs ``prediction.view``."""
    authorize(actor, "prediction.view", endpoint, view="endpoint.view")
    return Outcome.objects.filter(endpoint=endpoint)


def outcomes_for(rows: Collection[CapturedPrediction]) -> Mapping[int, list[Outcome]]:
    """Return what became of captured predictions, by the key of their row: one query."""
    by_row: dict[int, list[Outcome]] = {row.pk: [] for row in rows}
    keys = {(row.prediction, row.revision): row.pk for row in rows}
    outcomes = Outcome.objects.filter(
        endpoint__in={row.endpoint_id for row in rows}, prediction__in={p for p, _ in keys}
    )
    for outcome in outcomes.order_by("name"):
        if (key := keys.get((outcome.prediction, outcome.revision))) is not None:
            by_row[key].append(outcome)
    return by_row


@dataclass(frozen=True, slots=True)
class Reported:
    """What was reported under one name: by revision how many and their mean, and what waits.

    Revisions are named by their number."""

    name: str
    by_revision: Mapping[int, tuple[int, float]]
    waiting: int


def reported(endpoint: Endpoint) -> list[Reported]:
    """Return what is known of each name that was reported at an endpoint."""
    revision = Revision.objects.filter(pk=OuterRef("revision")).values("number")
    rows = Outcome.objects.filter(endpoint=endpoint).values("name", number=Subquery(revision))
    by_name: dict[str, Reported] = {}
    for row in rows.annotate(count=Count("pk"), mean=Avg("value")).order_by("name", "number"):
        name, number = row["name"], row["number"]
        before = by_name.get(name, Reported(name, {}, 0))
        if number is not None:
            means = {**before.by_revision, number: (row["count"], row["mean"])}
            by_name[name] = Reported(name, means, before.waiting)
        else:
            by_name[name] = Reported(name, before.by_revision, row["count"])
    return list(by_name.values())
