"""Objectives of endpoints, and alerts."""

import math
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.monitoring import actions, queries
from apps.monitoring.api.serializers import (
    AlertSerializer,
    ObjectiveSerializer,
    TermsSerializer,
)
from apps.monitoring.models import Alert, Objective
from apps.monitoring.rules import Terms
from apps.serving.models import Endpoint
from apps.serving.queries import get_endpoint
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag, require_match
from placet.kernel.clock import now, rfc3339
from placet.kernel.problems import NotFound


def objective_tag(row: Objective) -> str:
    """Return the ETag of an objective."""
    return etag(row.pk, row.generation)


def objective_body(row: Objective, endpoint: Endpoint) -> dict[str, Any]:
    """Return an objective and how it stands as JSON values."""
    live = endpoint.revisions.filter(state="live").first()
    standing = None
    if live is not None:
        verdict = queries.stands(row, live, now())
        edge = verdict.latency_ms
        standing = {
            "standing": verdict.standing,
            "reason": verdict.reason,
            "revision": live.pk,
            "requests": verdict.requests,
            "availability": verdict.availability,
            "latency_ms": None if edge is None or math.isinf(edge) else edge,
            "trusted": verdict.trusted,
        }
    return {**asdict(row.terms), "owner": row.owner, "endpoint": endpoint.pk, "now": standing}


class EndpointObjective(PlacetView):
    """The objective of one endpoint."""

    @extend_schema(operation_id="objectives_read", responses=ObjectiveSerializer)
    def get(self, request: Request, endpoint: str) -> Response:
        """Read what an endpoint is held to, and how its live revision stands."""
        found = get_endpoint(endpoint, self.actor)
        row = self._row(found)
        return Response(objective_body(row, found), headers={"ETag": objective_tag(row)})

    @extend_schema(
        operation_id="objectives_set",
        request=TermsSerializer,
        responses={200: ObjectiveSerializer, 201: ObjectiveSerializer},
    )
    def put(self, request: Request, endpoint: str) -> Response:
        """Set what an endpoint is held to; If-Match when it is held to something already."""
        found = get_endpoint(endpoint, self.actor)
        data: Any = dict(self.body(TermsSerializer))
        owner = data.pop("owner")
        before = queries.objective_of(found)
        if before is not None:
            require_match(request, objective_tag(before))
        row = actions.set_objective(
            found, terms=Terms(**data), owner=owner, actor=self.actor,
            if_generation=before.generation if before else None,
        )  # fmt: skip
        headers = {"ETag": objective_tag(row)}
        return Response(objective_body(row, found), 200 if before else 201, headers=headers)

    @extend_schema(operation_id="objectives_remove", responses={204: None})
    def delete(self, request: Request, endpoint: str) -> Response:
        """Hold an endpoint to nothing any more. Needs If-Match."""
        found = get_endpoint(endpoint, self.actor)
        row = self._row(found)
        require_match(request, objective_tag(row))
        actions.remove_objective(found, if_generation=row.generation, actor=self.actor)
        return Response(status=204)

    def _row(self, endpoint: Endpoint) -> Objective:
        row = queries.objective_of(endpoint)
        if row is None:
            raise NotFound("The endpoint has no objective")
        return row


def alert_body(row: Alert) -> dict[str, Any]:
    """Return an alert as JSON values."""
    return {
        "id": row.pk,
        "kind": row.kind,
        "state": row.state,
        "subject": row.subject,
        "about": row.about,
        "summary": row.summary,
        "answer": row.answer,
        "rollout": row.rollout or None,
        "project": row.project.slug if row.project else None,
        "environment": row.environment or None,
        "endpoint": row.endpoint_id,
        "revision": row.revision or None,
        "owner": row.owner or None,
        "opened_at": rfc3339(row.opened_at),
        "acknowledged_at": rfc3339(row.acknowledged_at) if row.acknowledged_at else None,
        "acknowledged_by": row.acknowledged_by or None,
        "resolved_at": rfc3339(row.resolved_at) if row.resolved_at else None,
        "resolved_by": row.resolved_by or None,
    }


def alert_answer(row: Alert) -> Response:
    """Answer with one alert."""
    return Response(alert_body(row), headers={"ETag": etag(row.pk, row.generation)})


class AlertList(ListView):
    """Alerts."""

    filters = ("state", "kind", "endpoint")

    @extend_schema(operation_id="alerts_list", responses=page_of(AlertSerializer))
    def get(self, request: Request) -> Response:
        """List alerts, newest first; ``state``, ``kind`` and ``endpoint`` narrow them."""
        rows = self.narrowed(queries.visible_alerts(self.actor))
        return self.page(rows, lambda found: [alert_body(row) for row in found])


class AlertDetail(PlacetView):
    """One alert."""

    @extend_schema(operation_id="alerts_read", responses=AlertSerializer)
    def get(self, request: Request, alert: str) -> Response:
        """Read an alert."""
        return alert_answer(queries.get_alert(alert, self.actor))


class AlertAcknowledge(PlacetView):
    """Taking an alert on."""

    @extend_schema(operation_id="alerts_acknowledge", request=None, responses=AlertSerializer)
    def post(self, request: Request, alert: str) -> Response:
        """Say that you look after it; 409 when somebody does already, or it is over."""
        found = queries.get_alert(alert, self.actor)
        return alert_answer(actions.acknowledge(found, actor=self.actor))


class AlertResolve(PlacetView):
    """Ending an alert."""

    @extend_schema(operation_id="alerts_resolve", request=None, responses=AlertSerializer)
    def post(self, request: Request, alert: str) -> Response:
        """End an alert about a failed drill or job, or the log; others end when over (409)."""
        found = queries.get_alert(alert, self.actor)
        return alert_answer(actions.resolve(found, actor=self.actor))
