"""What a recall took back, as people call it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce, JSONObject
from django.urls import reverse

from apps.console.queries.links import recall_url
from apps.console.queries.page_parts import Link
from apps.registry.models import ModelVersion
from placet.kernel.actor import Actor


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
