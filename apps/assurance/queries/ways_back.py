"""How far an endpoint is on its way back to what is to serve instead of what a recall took off."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, DateTimeField, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Cast, JSONObject
from django.db.models.lookups import Exact

from apps.audit.models import Event
from apps.rollouts.models import Rollout
from apps.rollouts.states import ENDED_BADLY, STEPPING, RolloutKind, RolloutState
from apps.serving.events import ENDPOINT_STARTED, ENDPOINT_STOPPED
from apps.serving.rules import EndpointState

FELL_BACK = "endpoint fell back"
STAYED_STOPPED = "endpoint stayed stopped"
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


def stopped_before() -> Case:
    """Return whether somebody had stopped the endpoint before the recall, as a column of a query
    for effects: the log says so, whatever became of it since."""
    switched = Event.objects.filter(
        subject=OuterRef("endpoint"), kind__in=(ENDPOINT_STARTED.name, ENDPOINT_STOPPED.name)
    )
    before = switched.alias(when=Cast(F("at"), DateTimeField()))
    before = before.filter(when__lt=OuterRef("recall__created_at"))
    last = Subquery(before.order_by("-index").values("kind")[:1])
    stopped = Exact(last, Value(ENDPOINT_STOPPED.name))
    return Case(When(stopped, then=Value(True)), default=Value(False))


def fell_back(back: Mapping[str, Any] | None) -> str:
    """Say what became of an endpoint that was to fall back, as ``way_back`` read it."""
    if back and back["waits"]:
        return f"endpoint goes back to revision {back['number']} once it is started"
    if back and back["failed"]:
        return f"endpoint did not get back to revision {back['number']}"
    return FELL_BACK
