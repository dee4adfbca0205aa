"""What a recall took back, as people call it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce, JSONObject
from django.urls import reverse

from apps.assurance.models import RecallKind
from apps.console.queries.links import recall_url
from apps.console.queries.page_parts import Link
from apps.registry.models import ModelVersion
from placet.kernel.actor import Actor

BARS: dict[str, str] = {  # while it stands
    RecallKind.DATASET: "no version that was trained on it can be released",
    RecallKind.WHEEL: "no build that contains it can be released",
    RecallKind.KEY: "what this key signed doesn't count",
    RecallKind.PERSON: (
        "this person's decisions don't count, and they can approve, reject, publish and co-sign "
        "nothing"
    ),
    RecallKind.PASSKEY: "what this passkey signed doesn't count",
}


@dataclass(frozen=True, slots=True)
class EarlierRecall:
    """The recall that had revoked a release before."""

    at: datetime
    url: str  # '' for who may not see it


def earlier_recall(told: Mapping[str, Any] | None, actor: Actor) -> EarlierRecall | None:
    """Return a recall as a query told it, for ``actor``; ``None`` where there is none."""
    if not told:
        return None
    url = recall_url(told["id"], told["project"], actor)
    return EarlierRecall(datetime.fromisoformat(told["at"]), url)


def bars(kind: str) -> str:
    """Say what a recall keeps from happening while it stands, in the middle of a sentence."""
    return BARS.get(kind, "it can't be released")


def none_ended(*, voids: bool) -> str:
    """Say that a recall ends no release; whether it voids what was decided on any is said beside
    that."""
    return "No releases ended." if voids else "No releases affected."


def none_affected(kind: str, *, voids: bool) -> str:
    """Say that a recall ends no release, and what it brings about all the same."""
    then = bars(kind)
    return f"{none_ended(voids=voids)} {then[0].upper()}{then[1:]} while the recall stands."


def recalled_item() -> Coalesce:
    """The version that was recalled, or that of the Bento, as a column of a query for recalls."""
    own = ModelVersion.objects.filter(pk=OuterRef("what"))
    built = ModelVersion.objects.filter(bentos=OuterRef("what"))
    named = JSONObject(project="project__slug", model="model__name", number="number")
    return Coalesce(*(Subquery(rows.values(json=named)[:1]) for rows in (own, built)))


def item_link(recall: Any) -> Link | None:
    """Return where the version of ``recall`` is read, by its name; ``None`` where it has none."""
    item = recall.item
    if not item:
        return None
    url = reverse("version", args=[item["project"], item["model"], item["number"]])
    return Link(f"{item['model']}:{item['number']}", url)
