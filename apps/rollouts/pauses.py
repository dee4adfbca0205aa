"""Who or what has paused a rollout, in the words of pages, the API and the command line, and how
its release stands with that."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.governance.models import Release
from apps.governance.plan import Analysis
from apps.governance.rules import ReleaseState
from apps.identity.queries import name_in
from apps.rollouts.models import Rollout
from apps.rollouts.states import ENDED_STATES, RolloutKind, RolloutState
from placet.kernel.actor import SYSTEM

PAUSED = "paused"  # what is rolling out, and goes no further until a person lets it
# what is read along of a rollout, besides its beginning, to say how it stands
GOING = ("kind", "state", "step", "step_times", "phase_times", "paused_by", "from_revision_id")


def paused(row: Rollout, pauser: str) -> str:
    """Say who (``pauser``, the name of who did) or what has paused a rollout; '' where it goes on
    by itself, or has ended."""
    if row.paused_by == SYSTEM.id:
        return f"Paused by Placet: step {row.step + 1} did not get its replicas in time"
    if row.paused_by:
        return f"Paused by {pauser}"
    if row.state in ENDED_STATES or not row.waits_for_person:
        return ""
    if row.waits_to_ship:
        return "Paused by its plan: an approver has to ship it"
    if isinstance(row.steps[row.step], Analysis):
        return f"Paused by its plan: the analysis in step {row.step + 1} was not settled in time"
    return f"Paused by its plan: step {row.step + 1} waits for an operator to resume it"


def with_going(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have releases bring what :func:`stands` and :func:`going` tell from."""
    rows = Rollout.objects.filter(release=OuterRef("pk")).exclude(state__in=ENDED_STATES)
    rows = rows.exclude(kind=RolloutKind.DRILL).order_by("-created_at")
    return releases.annotate(going=told_along(rows))


def stands(release: Release) -> str:
    """Return how a release stands, as people are told: its state, that it is stopped, or paused or
    aborting where its rollout, which was read along, is."""
    rollout = going(release)
    if rollout and rollout.state == RolloutState.ABORTING:
        return RolloutState.ABORTING
    if rollout and paused(rollout, rollout.pauser):
        return PAUSED
    return release.shown_state


def told_along(rollouts: QuerySet[Rollout], **more: str) -> Subquery:
    """Have a query bring of the first of ``rollouts`` what :func:`as_told` makes one of, and
    ``more`` columns."""
    columns = {name: name for name in (*GOING, "created_at")} | more
    told = JSONObject(pauser=name_in("paused_by"), **columns)
    return Subquery(rollouts.values(json=told)[:1])


def going(release: Any) -> Any:
    """Return the rollout of a release that is under way, as far as it was read along, with who has
    paused it (``pauser``); ``None`` where none is."""
    told = getattr(release, "going", None)
    if release.state != ReleaseState.ROLLING_OUT or not told:
        return None
    return as_told(told, release)


def as_told(told: Mapping[str, Any], release: Release) -> Any:
    """Return the rollout of ``release`` that a query brought :func:`told_along`."""
    began = datetime.fromisoformat(told["created_at"])
    row: Any = Rollout(release=release, created_at=began, **{name: told[name] for name in GOING})
    row.pauser = told["pauser"]
    return row
