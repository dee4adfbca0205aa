"""Captured predictions as their page shows them."""

from dataclasses import dataclass

from apps.identity.queries import people_names
from apps.monitoring.models import CapturedPrediction, Erasure, Outcome
from apps.monitoring.parquet import Row
from apps.monitoring.queries import (
    Captured,
    Reported,
    captured_of,
    captured_predictions,
    contents,
    erasures_of,
    outcomes_for,
    reported,
)
from apps.serving.models import Endpoint
from placet.kernel.actor import Actor

PAGE = 25


@dataclass(slots=True)
class CapturedView:
    """Everything the page shows."""

    figures: list[Captured]
    rows: list[tuple[CapturedPrediction, Row | None, list[Outcome]]]
    outcomes: list[Reported]
    numbers: dict[str, int]  # of revisions, by id
    erasures: list[Erasure]
    names: dict[str, str]
    key: str


def captured_page(endpoint: Endpoint, actor: Actor, *, after: str = "") -> CapturedView:
    """Return one page of what was captured. Needs ``prediction.view``."""
    rows = captured_predictions(endpoint, actor).order_by("-pk")
    if after.isascii() and after.isdigit() and len(after) < 19:
        rows = rows.filter(pk__lt=int(after))
    found = list(rows[: PAGE + 1])
    key = str(found[PAGE - 1].pk) if len(found) > PAGE else ""
    found = found[:PAGE]
    content, said, outcomes = contents(found), outcomes_for(found), reported(endpoint)
    erasures = list(erasures_of(endpoint, actor).order_by("-pk")[:10])
    shown = {row.revision for row in found} | {r for o in outcomes for r in o.by_revision}
    revisions = endpoint.revisions.filter(pk__in=shown)
    return CapturedView(
        figures=captured_of(endpoint),
        rows=[(row, content.get(row.pk), said[row.pk]) for row in found],
        outcomes=outcomes,
        numbers=dict(revisions.values_list("pk", "number")),
        erasures=erasures,
        names=people_names({row.requested_by for row in erasures}),
        key=key,
    )
