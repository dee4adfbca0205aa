"""How far an endpoint is on its way back to what is to serve instead of what a recall took off."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import JSONObject

from apps.rollouts.models import Rollout
from apps.rollouts.states import ENDED_BADLY, STEPPING, RolloutKind, RolloutState
from apps.serving.rules import EndpointState

FELL_BACK = "endpoint fell back"
BADLY = (RolloutState.ABORTING, *ENDED_BADLY)


def way_back() -> Subquery:
    """Return the rollback to the revision that is to serve instead, as a column of a query for
    effects: the ``number`` of that revision, whether it ``waits`` for the start of the endpoint,
    which is stopped, and whether going back ``failed``."""
    rows = Rollout.objects.filter(
        endpoint=OuterRef("endpoint"),
        to_revision=OuterRef("fallback"),
        from_revision__release=OuterRef("release"),
        kind=RolloutKind.ROLLBACK,
    )
    before = Q(endpoint__stopped_at__lte=OuterRef("recall__created_at"))
    stopped = Q(endpoint__state=EndpointState.STOPPED)
    waits = stopped & ((before & ~Q(state__in=BADLY)) | Q(state__in=STEPPING))
    told = JSONObject(
        number="to_revision__number",
        waits=Case(When(waits, then=Value(True)), default=Value(False)),
        failed=Case(When(state__in=BADLY, then=Value(True)), default=Value(False)),
    )
    return Subquery(rows.order_by("-pk").values(json=told)[:1])


def fell_back(back: Mapping[str, Any] | None) -> str:
    """Say what became of an endpoint that was to fall back, as ``way_back`` read it."""
    if back and back["waits"]:
        return f"endpoint goes back to revision {back['number']} once it is started"
    if back and back["failed"]:
        return f"endpoint did not get back to revision {back['number']}"
    return FELL_BACK
