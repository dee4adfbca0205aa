"""What mails say of what their reader is asked to do: until when, and what stands in its way."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Subquery

from apps.governance import gates
from apps.governance.hooks import unpublishable
from apps.governance.models import PolicyRevision
from apps.governance.queries.break_glass import glasses_told
from apps.governance.queries.by_clock import gates_now, with_clock
from apps.governance.queries.review_requests import asked_by_name, naming
from apps.governance.queries.visible_rows import releases
from apps.governance.rules import BreakGlassState
from apps.notices.models import Notice
from placet.kernel.actor import Actor

STUCK = {  # what stands above a notice of that kind whose reader can do nothing yet
    "review": "A release that needs your review has failed gates",
    "policy": "A policy draft cannot be published",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Until when something is asked of a reader, in lines, and what has to be done first."""

    lines: tuple[str, ...] = ()
    first: str = ""

    def headline(self, kind: str, usual: str) -> str:
        """Return what stands above it."""
        return STUCK[kind] if self.first else usual


def asked_of(notices: Sequence[Notice], actor: Actor) -> dict[str, Asked]:
    """Return what is asked of ``actor`` by what it is about (three queries at most, and a few for
    each policy draft)."""
    ids = {one: {n.subject for n in notices if n.kind == one} for one in (*STUCK, "emergency")}
    return {
        **_reviews(ids["review"], actor),
        **_emergencies(ids["emergency"], actor),
        **_drafts(ids["policy"], actor),
    }


def once(notices: Sequence[Notice]) -> list[Notice]:
    """Return notices with one for each release that a review is asked of, the newest: whoever may
    decide on it and was asked by name as well is asked for the same thing."""
    newest = {n.subject: n.pk for n in sorted(notices, key=_index) if n.kind == "review"}
    return [n for n in notices if newest.get(n.subject, n.pk) == n.pk or n.kind != "review"]


def _index(notice: Notice) -> int:
    return notice.index or 0


def _reviews(ids: Collection[str], actor: Actor) -> Mapping[str, Asked]:
    if not ids:
        return {}
    seen = releases(actor).filter(pk__in=ids).defer(None)
    rows: Any = with_clock(seen).annotate(naming=Subquery(naming(actor.id)))
    return {row.pk: Asked(tuple(_until(row)), gates.failing(gates_now(row))) for row in rows}


def _until(release: Any) -> list[str]:
    named = asked_by_name(release.naming)
    said = [f"{named.told[0].upper()}{named.told[1:]}"] if named else []
    return [*said, f"The request expires on {_at(release.not_after)}"]


def _emergencies(ids: Collection[str], actor: Actor) -> Mapping[str, Asked]:
    told = [row["json"] for row in glasses_told(actor)] if ids else []
    return {row["id"]: Asked((_glass_until(row),)) for row in told}


def _glass_until(told: Mapping[str, Any]) -> str:
    if told["state"] == BreakGlassState.OPENED:
        return f"To be co-signed by {_at(datetime.fromisoformat(told['until']))}"
    due = told["due"] and _at(datetime.fromisoformat(told["due"]))
    return f"To be reviewed by {due}" if due else "To be reviewed"


def _drafts(ids: Collection[str], actor: Actor) -> Mapping[str, Asked]:
    rows = PolicyRevision.objects.filter(pk__in=ids) if ids else ()
    return {row.pk: Asked(first=unpublishable()(row, actor)) for row in rows}


def _at(time: datetime) -> str:
    return f"{time:%-d %b %Y, %H:%M} UTC"
