"""That a version is or was recalled, as its page tells it: by whom, when and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import JSONObject
from django.urls import reverse

from apps.assurance.models import Recall, RecallKind, RecallState
from apps.audit.queries import unseal
from apps.builds.models import Bento
from apps.console.queries.links import sees
from apps.console.queries.page_parts import Banner, Link
from apps.identity.queries import name_in
from placet.kernel.actor import Actor


def all_recalls() -> ArraySubquery:
    """Return the ids of the recalls of a version and of its Bentos, those that were withdrawn too,
    as a column of the query that reads it (``all_recalls``)."""
    bentos = Bento.objects.filter(version=OuterRef(OuterRef("pk"))).values("pk")
    own = Q(kind=RecallKind.VERSION, what=OuterRef("pk"))
    rows = Recall.objects.filter(own | Q(kind=RecallKind.BENTO, what__in=bentos))
    return ArraySubquery(rows.filter(project=OuterRef("project")).order_by("pk").values("pk"))


def withdrawn_recall() -> Subquery:
    """Return the newest withdrawn recall of a version: by whom and when it was made and withdrawn,
    as a column of the query that reads it (``withdrawn_recall``)."""
    rows = Recall.objects.filter(kind=RecallKind.VERSION, what=OuterRef("pk"))
    rows = rows.filter(project=OuterRef("project"), state=RecallState.LIFTED).order_by("-lifted_at")
    columns = {"by": "recalled_by", "at": "created_at", "lifted_by": "lifted_by"}
    names = {"name": name_in("recalled_by"), "lifter": name_in("lifted_by")}
    said = JSONObject(id="pk", lifted_at="lifted_at", **columns, **names)
    return Subquery(rows.values(json=said)[:1])


@dataclass(frozen=True, slots=True)
class WithdrawnRecall:
    """That a version was recalled and that somebody withdrew that, for who may see it."""

    url: str
    by: str
    name: str
    at: datetime
    lifted_by: str
    lifter: str
    lifted_at: datetime


def withdrawn(version: Any, actor: Actor) -> WithdrawnRecall | None:
    """Return the newest withdrawn recall of a version; ``None`` while another one stands."""
    row = version.withdrawn_recall
    stands = any(one["kind"] == RecallKind.VERSION for one in version.recalls)
    if row is None or stands or not sees(version, "recall.view", actor):
        return None
    at, lifted_at = (datetime.fromisoformat(row[name]) for name in ("at", "lifted_at"))
    names = row["name"], at, row["lifted_by"], row["lifter"], lifted_at
    return WithdrawnRecall(reverse("recall", args=[row["id"]]), row["by"], *names)


def seen_by(version: Any, actor: Actor) -> list[str]:
    """Return the ids of those that ``actor`` may see, so that its story tells of them."""
    recalls: list[str] = version.all_recalls
    return recalls if sees(version, "recall.view", actor) else []


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
