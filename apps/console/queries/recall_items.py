"""What a recall took back, as people call it."""

from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce, JSONObject
from django.urls import reverse

from apps.console.queries.page_parts import Link
from apps.registry.models import ModelVersion


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
