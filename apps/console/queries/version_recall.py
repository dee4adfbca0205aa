"""That a version is recalled, as its page tells it: by whom, when and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.assurance.models import RecallKind
from apps.audit.queries import unseal
from apps.console.queries.page_parts import Banner, Link


@dataclass(frozen=True, slots=True)
class ToldRecall:
    """A recall of a version, or of data that it was trained on, for who may see it."""

    id: str
    by: str
    name: str  # of who recalled it
    at: datetime
    reason: str

    @property
    def link(self) -> Link:
        """Where it is read in full."""
        return Link("Open recall", reverse("recall", args=[self.id]))


def first_told(recalls: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return which of a version's recalls is told: its own before one of its data."""
    own = (row for row in recalls if row["kind"] == RecallKind.VERSION)
    return next(own, recalls[0] if recalls else None)


def told(row: Mapping[str, Any], names: Mapping[str, str]) -> ToldRecall:
    """Return a recall that was read along with its version (one query: why)."""
    at, by = datetime.fromisoformat(row["at"]), row["by"]
    return ToldRecall(row["id"], by, names.get(by, ""), at, unseal(row["reason"]))


def recall_banner(sentence: str, recall: ToldRecall | None) -> Banner:
    """Return what stands above a version that must not run, as ``sentence`` says."""
    why = f": “{recall.reason}” ({recall.name})" if recall else ""
    links = [recall.link] if recall else []
    return Banner("danger", f"{sentence}{why}. It can't be released.", links)
