"""Alerts."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.queries import known_projects
from apps.monitoring import actions, queries
from apps.monitoring.models import Alert, AlertKind, AlertState
from apps.serving.models import Endpoint
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import rfc3339
from placet.kernel.filters import refuse_unknown


class AlertSerializer(serializers.Serializer[Any]):
    """One thing that is wrong with one subject, from its beginning to its end."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=AlertKind.values)
    state = serializers.ChoiceField(choices=AlertState.values)
    subject = serializers.CharField(help_text="An endpoint, a target, a kind of job, or 'log'")
    about = serializers.CharField(help_text="The subject, as people name it")
    summary = serializers.CharField()
    answer = serializers.CharField(
        help_text="What the platform did about it by itself, and what was measured as it ended"
    )
    rollout = serializers.CharField(allow_null=True)
    project = serializers.CharField(allow_null=True)
    environment = serializers.CharField(allow_null=True)
    endpoint = serializers.CharField(allow_null=True)
    revision = serializers.CharField(allow_null=True)
    owner = serializers.CharField(allow_null=True)
    opened_at = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.CharField(allow_null=True)


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
        endpoints = Endpoint.objects.filter(project__in=known_projects(self.actor, "alert.view"))
        words = {"state": AlertState.values, "kind": AlertKind.values}
        refuse_unknown(request.query_params, words=words, ids={"endpoint": endpoints})
        rows = self.narrowed(queries.visible_alerts(self.actor))
        return self.page(rows, lambda page: [alert_body(row) for row in page])


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
        row = queries.get_alert(alert, self.actor)
        return alert_answer(actions.acknowledge(row, actor=self.actor))


class AlertResolve(PlacetView):
    """Ending an alert."""

    @extend_schema(operation_id="alerts_resolve", request=None, responses=AlertSerializer)
    def post(self, request: Request, alert: str) -> Response:
        """End an alert about a failed drill or job, or the log; others end when over (409)."""
        row = queries.get_alert(alert, self.actor)
        return alert_answer(actions.resolve(row, actor=self.actor))
