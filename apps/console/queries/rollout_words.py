"""What pages say of a rollout wherever they name it: from which revision to which it goes, who or
what has paused it, and what was said last, by whom."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, TextField, Value, When
from django.db.models.functions import Cast, Coalesce, JSONObject, Now

from apps.assurance.models import RecallEffect
from apps.audit.models import Event, logged
from apps.console.queries.actor_names import by_machine
from apps.console.queries.rollout_steps import BADLY
from apps.identity.queries import name_in
from apps.rollouts import pauses
from apps.rollouts.events import (
    ENTERED,
    ROLLBACK_STARTED,
    ROLLOUT_PAUSED,
    ROLLOUT_PROMOTED,
    ROLLOUT_RESUMED,
    ROLLOUT_SHIPPED,
    ROLLOUT_STARTED,
    STEP_SKIPPED,
)
from apps.rollouts.models import Passing, Rollout
from apps.rollouts.rules import PROMOTE
from apps.rollouts.rules.facts import ALL_AT_ONCE, NO_REASON
from apps.rollouts.states import PassingState, RolloutKind, RolloutState
from placet.kernel.actor import Actor

# how the platform begins to say that a recall had it end a rollout, or go back
RECALLED = re.compile(r" was recalled$|^A recall \(|^The decisions of .* were recalled$")
VERBS = {  # what people do to a rollout with a reason, which stays in its row until the next one
    ROLLOUT_STARTED.name: "Started again",
    ROLLBACK_STARTED.name: "Rolled back",
    ROLLOUT_PAUSED.name: "Paused",
    ROLLOUT_RESUMED.name: "Resumed",
    ROLLOUT_PROMOTED.name: "Promoted",
    ROLLOUT_SHIPPED.name: "Shipped",
    STEP_SKIPPED.name: "Step skipped",
    ENTERED[RolloutState.ABORTING].name: "Aborted",
}


@dataclass(frozen=True, slots=True)
class LastWords:
    """Why a rollout is as it is, and who said so; ``what`` they did is '' where it was the platform
    itself, whose words say that. ``text`` is '' where somebody gave no reason. ``recall`` is the id
    of the one that had the platform do it, ``by`` whom it was, for who may see it, and when it was
    withdrawn. Where a second person was needed, it is they who did it, and ``asked_by`` is who
    asked them."""

    text: str
    what: str = ""
    by: str = ""
    name: str = ""
    at: datetime | None = None
    recall: str = ""
    withdrawn_at: datetime | None = None
    asked_by: str = ""
    asked_name: str = ""


def with_last_words(rollouts: QuerySet[Rollout], actor: Actor) -> QuerySet[Rollout, Any]:
    """Have each rollout bring what was done to it last that has a reason (``done_last``), the names
    of who paused and who aborted it (``pauser``, ``aborter``), and the last recall that reached
    either of its sides and ``actor`` may see (``recalled``), without a query of its own."""
    done = Event.objects.filter(subject=OuterRef("pk"), kind__in=list(VERBS))
    done = done.annotate(name=name_in("actor_id"), step_said=logged("step")).order_by("-index")
    told = {"kind": "kind", "at": "at", "by": "actor_id", "name": "name", "asker": _asker()}
    last = done.values(json=JSONObject(**told))
    return rollouts.annotate(
        done_last=Subquery(last[:1]),
        pauser=name_in("paused_by"),
        aborter=name_in("aborted_by"),
        recalled=_recalled(actor),
    )


def _asker() -> Subquery:
    """Return who asked a second person for what they did, as a column of a query that reads the
    events of rollouts with the step that they name (``step_said``)."""
    promoted = When(verb=PROMOTE, then=Value(ROLLOUT_PROMOTED.name))
    rows = Passing.objects.alias(
        kind=Case(promoted, default=Value(STEP_SKIPPED.name)),
        number=Cast(F("step") + 1, TextField()),
    )
    rows = rows.filter(rollout=OuterRef("subject"), state=PassingState.DONE)
    rows = rows.filter(answered_by=OuterRef("actor_id"), kind=OuterRef("kind"))
    rows = rows.filter(Q(verb=PROMOTE) | Q(number=OuterRef("step_said"))).order_by("-pk")
    return Subquery(rows.values(json=JSONObject(by="asked_by", name=name_in("asked_by")))[:1])


def _recalled(actor: Actor) -> Subquery:
    """Return the last recall that reached what a rollout comes from or goes to before it ended."""
    sides = Q(release=OuterRef("to_revision__release"))
    sides |= Q(release=OuterRef("from_revision__release"))
    rows = RecallEffect.objects.filter(sides, endpoint=OuterRef("endpoint"))
    rows = rows.filter(recall__created_at__lte=Coalesce(OuterRef("finished_at"), Now()))
    held = actor.projects_with("recall.view")
    if held is not None:
        rows = rows.filter(recall__project__in=held)
    columns = {"id": "recall", "by": "recall__recalled_by", "at": "recall__created_at"}
    columns["lifted_at"] = "recall__lifted_at"
    rows = rows.annotate(name=name_in("recall__recalled_by")).order_by("-pk")
    return Subquery(rows.values(json=JSONObject(name="name", **columns))[:1])


def last_words(row: Any) -> LastWords | None:
    """Return why a rollout that was read :func:`with_last_words` is as it is; ``None`` where there
    is nothing to say."""
    done = row.done_last or {}
    by_itself = row.reason == ALL_AT_ONCE or (row.state in BADLY and not row.aborted_by)
    if by_itself or by_machine(done.get("by", "")):
        return _by_itself(row) if row.reason else None
    if not row.reason and done["kind"] == ROLLOUT_STARTED.name:
        return None  # who started it at first needs no reason
    text = "" if row.reason == NO_REASON else row.reason
    at = datetime.fromisoformat(done["at"])
    asker = done.get("asker") or {"by": "", "name": ""}
    asked = {"asked_by": asker["by"], "asked_name": asker["name"]}
    return LastWords(text, VERBS[done["kind"]], done["by"], done["name"], at, **asked)


def _by_itself(row: Any) -> LastWords:
    """What the platform did because of a recall says whose that was."""
    found = row.recalled if RECALLED.search(row.reason) else None
    if not found:
        return LastWords(row.reason)
    at = datetime.fromisoformat(found["at"])
    lifted = datetime.fromisoformat(found["lifted_at"]) if found["lifted_at"] else None
    return LastWords(row.reason, "", found["by"], found["name"], at, found["id"], lifted)


def paused(row: Any) -> str:
    """Say who or what has paused a rollout that was read :func:`with_last_words`."""
    return pauses.paused(row, row.pauser)


def moved(row: Rollout) -> str:
    """Say from which revision to which a rollout goes or went, or was to go."""
    old, new = row.from_revision, row.to_revision
    there = f"revision {new.number}"
    ways = f"from revision {old.number} to {there}" if old else f"to {there}"
    if row.kind == RolloutKind.DRILL:
        return f"Rollback test {ways} and back"
    if row.kind == RolloutKind.ROLLBACK:
        return f"{_verb(row, 'Rolled back', 'Rolling back', 'Rollback')} {ways}"
    replaces = "to replace" if row.state in BADLY else "replacing"
    instead = f", {replaces} revision {old.number}" if old else ""
    return f"{_verb(row, 'Rolled out', 'Rolling out', 'Rollout of')} {there}{instead}"


def sides_of(row: Rollout) -> tuple[str, str]:
    """Say which revision comes and which one gives way: what a rollback goes to is not new."""
    return ("new", "old") if row.kind == RolloutKind.RELEASE else ("former", "newer")


@dataclass(frozen=True, slots=True)
class RolloutMove:
    """A rollout in a list, read :func:`with_last_words`."""

    row: Any

    @property
    def says(self) -> str:
        """From which revision to which."""
        return moved(self.row)

    @property
    def paused(self) -> str:
        """Who or what has paused it."""
        return paused(self.row)

    @property
    def words(self) -> LastWords | None:
        """Why it is as it is."""
        return last_words(self.row)


def _verb(row: Rollout, done: str, under_way: str, otherwise: str) -> str:
    """Nothing was rolled out or back that ended badly."""
    if row.state == RolloutState.DONE:
        return done
    return otherwise if row.state in BADLY else under_way
