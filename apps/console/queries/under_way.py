"""The rollout that moves an endpoint, as releases that wait for its end name it."""

from collections.abc import Mapping
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.governance.models import UNFINISHED_STATES, Release
from apps.governance.rules import ReleaseState
from apps.rollouts.models import Rollout
from apps.rollouts.queries import version_name
from apps.rollouts.states import OPEN_STATES, RolloutKind, RolloutState

MOVES: dict[str, str] = {
    RolloutKind.RELEASE: "rollout of",
    RolloutKind.ROLLBACK: "rollback to",
    RolloutKind.DRILL: "rollback test with",
}


def with_moving(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have each release bring the rollout that moves its endpoint (``moving``), with its kind,
    its state and the version that it brings; ``None`` where none does."""
    rows = Rollout.objects.filter(endpoint=OuterRef("endpoint"), state__in=OPEN_STATES)
    told = JSONObject(id="pk", kind="kind", state="state", version=version_name("to_revision__"))
    return releases.annotate(moving=Subquery(rows.values(json=told)[:1]))


def rollout_before(release: Any) -> Mapping[str, Any] | None:
    """Return the rollout that has to end before a ``release`` that is open starts, as
    :func:`with_moving` read it; ``None`` where none has to."""
    moving: Mapping[str, Any] | None = getattr(release, "moving", None)
    return moving if moving and release.state in UNFINISHED_STATES else None


def rollout_named(before: Mapping[str, Any]) -> str:
    """Name a rollout that has to end first."""
    return f"{MOVES[before['kind']]} {before['version']}"


def is_aborting(release: Any) -> bool:
    """Tell whether the rollout of a ``release`` that goes out is being aborted, as
    :func:`with_moving` read it."""
    moving: Mapping[str, Any] = getattr(release, "moving", None) or {}
    goes_out = release.state == ReleaseState.ROLLING_OUT
    return goes_out and moving.get("state") == RolloutState.ABORTING
