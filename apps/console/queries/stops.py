"""Who stopped an endpoint, when and why, as pages say it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, OuterRef, Subquery, Value, When
from django.db.models.functions import JSONObject
from django.db.models.lookups import Exact

from apps.assurance.queries.recalls_beside import recall_that_stopped
from apps.audit.models import Event
from apps.audit.queries import unseal
from apps.governance import events as governance
from apps.governance.queries.compared import ComparedRelease
from apps.identity.queries import name_in, sees_in
from apps.serving.events import ENDPOINT_STARTED, ENDPOINT_STOPPED
from apps.serving.models import Endpoint
from apps.serving.rules import EndpointState
from placet.kernel.actor import SYSTEM, Actor

SWITCHED = (ENDPOINT_STARTED.name, ENDPOINT_STOPPED.name)
APPROVED = (governance.RELEASE_APPROVED.name,)
ENDED = tuple(  # of one that was not approved as it ended
    kind.name
    for kind in (
        governance.RELEASE_REJECTED,
        governance.RELEASE_WITHDRAWN,
        governance.RELEASE_EXPIRED,
        governance.RELEASE_REVOKED,
    )
)


@dataclass(frozen=True, slots=True)
class Stop:
    """That an endpoint is stopped. ``by`` and ``name`` are '' and ``at`` is ``None`` of one that
    was stopped before that was written down; ``reason`` is '' where none was given, or it is not
    told. ``recall`` is what had Placet do it, as ``told_of_recall`` has it; ``None`` where that was
    no recall."""

    by: str
    name: str
    at: datetime | None
    reason: str
    recall: Mapping[str, Any] | None = None


def stopper(endpoint: str = "") -> JSONObject:
    """Return the name of who stopped an endpoint, and the recall by which Placet did, as a column
    of a query that reads it, or has it as ``endpoint``."""
    name = name_in(f"{endpoint}__stopped_by" if endpoint else "stopped_by")
    return JSONObject(name=name, recall=recall_that_stopped(endpoint))


def stopped_at_the_decision() -> Case:
    """Return whether the endpoint of a release was stopped when that was decided or came to its
    end, as a column of a query that reads releases: the log says so, whatever became of it since.
    """
    approved = When(approved_at__isnull=False, then=_switched_before(APPROVED))
    last, stopped = Case(approved, default=_switched_before(ENDED)), ENDPOINT_STOPPED.name
    return Case(When(Exact(last, Value(stopped)), then=True), default=False)


def _switched_before(kinds: Sequence[str]) -> Subquery:
    """Return what was done to an endpoint last before the last such event of a release."""
    events = Event.objects.filter(subject=OuterRef(OuterRef("pk")), kind__in=kinds)
    switched = Event.objects.filter(subject=OuterRef("endpoint"), kind__in=SWITCHED)
    before = switched.filter(index__lt=Subquery(events.order_by("-index").values("index")[:1]))
    return Subquery(before.order_by("-index").values("kind")[:1])


def is_stopped_beside(view: ComparedRelease) -> bool:
    """Tell whether the endpoint of a release was stopped as of when that is shown: now, or at the
    decision."""
    return view.release.stopped_then if view.is_decided else view.is_stopped  # type: ignore[attr-defined]


def sealed_reason(endpoint: Endpoint, told: Mapping[str, Any], actor: Actor) -> str:
    """Return the commitment of the reason of the recall that had Placet stop ``endpoint``, for who
    may see that recall; '' otherwise."""
    recall = told.get("recall") if _by_placet(endpoint) else None
    seen = recall and sees_in(recall["project"], "recall.view", actor)
    return str(recall["reason"]) if recall and seen else ""


def stop_told(endpoint: Endpoint, told: Mapping[str, Any], actor: Actor) -> Stop | None:
    """Return the same as :func:`stop_of`, with the reason of a recall that ``actor`` may see (one
    query where there is one)."""
    sealed = sealed_reason(endpoint, told, actor)
    return stop_of(endpoint, told, unseal(sealed))


def stop_of(endpoint: Endpoint, told: Mapping[str, Any], recalled: str = "") -> Stop | None:
    """Return who stopped ``endpoint``, as ``stopper`` told it in the query that read it; ``None``
    of one that is not stopped. ``recalled`` is why a recall was made that had Placet do it."""
    if endpoint.state != EndpointState.STOPPED:
        return None
    name = str(told.get("name") or "")
    by, at, reason = endpoint.stopped_by, endpoint.stopped_at, endpoint.reason
    if _by_placet(endpoint):
        recall = told.get("recall")
        return Stop(by, name, at, recalled if recall else reason, recall)
    return Stop(by, name, at, reason)


def _by_placet(endpoint: Endpoint) -> bool:
    return endpoint.state == EndpointState.STOPPED and endpoint.stopped_by == SYSTEM.id
