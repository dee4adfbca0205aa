"""Captured predictions as their page shows them."""

from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from apps.identity.queries import name_in
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
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import Actor

PAGE = 25


@dataclass(slots=True)
class CapturedView:
    """Everything the page shows."""

    figures: list[Captured]
    rows: list[tuple[CapturedPrediction, Row | None, list[Outcome]]]
    outcomes: list[Reported]
    erasures: list[Erasure]
    key: str


def captured_page(endpoint: Endpoint, actor: Actor, *, after: str = "") -> CapturedView:
    """Return one page of what was captured. Needs ``prediction.view``."""
    revision = Revision.objects.filter(pk=OuterRef("revision")).values("number")
    rows = captured_predictions(endpoint, actor).order_by("-pk").annotate(number=Subquery(revision))
    if after.isascii() and after.isdigit() and len(after) < 19:
        rows = rows.filter(pk__lt=int(after))
    found = list(rows[: PAGE + 1])
    key = str(found[PAGE - 1].pk) if len(found) > PAGE else ""
    found = found[:PAGE]
    content, said, outcomes = contents(found), outcomes_for(found), reported(endpoint)
    erasures = erasures_of(endpoint, actor).order_by("-pk").annotate(who=name_in("requested_by"))
    return CapturedView(
        figures=captured_of(endpoint),
        rows=[(row, content.get(row.pk), said[row.pk]) for row in found],
        outcomes=outcomes,
        erasures=list(erasures[:10]),
        key=key,
    )
