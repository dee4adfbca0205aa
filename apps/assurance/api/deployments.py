"""Deployments: what served at an instant, and who approved it."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.assurance.queries.approved import Approval
from apps.assurance.queries.as_of import (
    Deployment,
    ServedRevision,
    deployments,
    endpoints_ever,
    instant_of,
    with_stops,
)
from apps.assurance.queries.served_events import RunReceipt
from apps.assurance.queries.stops import EndpointStop
from apps.governance.queries.named_filters import named
from apps.serving.api.fields import ToldRecallSerializer
from apps.serving.models import Endpoint
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.clock import rfc3339
from placet.kernel.filters import refuse_unknown


class ApprovalSerializer(serializers.Serializer[Any]):
    """Who let a release run, as its permit says."""

    person = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    at = serializers.DateTimeField()
    emergency = serializers.BooleanField(help_text="By breaking the glass")
    event = serializers.IntegerField(allow_null=True, help_text="Where the log says it")
    recalled_since = serializers.BooleanField(
        help_text="A recall that stands took it back since: it would not count today"
    )


class RunReceiptSerializer(serializers.Serializer[Any]):
    """What a node signed to have run at that instant."""

    id = serializers.CharField()
    node = serializers.CharField()
    started_at = serializers.DateTimeField(help_text="By the node's clock")
    ended_at = serializers.DateTimeField()


class ServedRevisionSerializer(serializers.Serializer[Any]):
    """A revision that served then."""

    id = serializers.CharField()
    number = serializers.IntegerField()
    percent = serializers.FloatField(help_text="Of the endpoint's requests")
    header = serializers.CharField(help_text="Requests with this header, whatever the percentage")
    copies_percent = serializers.FloatField(help_text="Of copies, whose answers nobody gets")
    since = serializers.DateTimeField(help_text="When this share of the requests began")
    until = serializers.DateTimeField(allow_null=True, help_text="null while it has it still")
    started = serializers.BooleanField(
        help_text="The endpoint was started at `since`: replicas answered a little later"
    )
    since_event = serializers.IntegerField(help_text="Where the log says it")
    until_event = serializers.IntegerField(allow_null=True)
    model = serializers.CharField()
    version = serializers.IntegerField()
    bento_digest = serializers.CharField()
    release = serializers.CharField()
    release_number = serializers.IntegerField()
    policy_number = serializers.IntegerField()
    policy_digest = serializers.CharField()
    approvals = ApprovalSerializer(many=True)
    receipts = RunReceiptSerializer(many=True)


class EndpointStopSerializer(serializers.Serializer[Any]):
    """Who had stopped an endpoint, and when."""

    at = serializers.DateTimeField()
    by = serializers.CharField()
    by_name = serializers.CharField()
    event = serializers.IntegerField(help_text="Where the log says it")
    recalled = serializers.BooleanField(help_text="Whether Placet did it because of a recall")
    recall = ToldRecallSerializer(
        allow_null=True, help_text="That recall; null also where it is not visible to you"
    )


class DeploymentSerializer(serializers.Serializer[Any]):
    """An endpoint as it was at an instant, and what served there."""

    at = serializers.DateTimeField()
    project = serializers.CharField()
    environment = serializers.CharField()
    endpoint = serializers.CharField()
    endpoint_name = serializers.CharField()
    state = serializers.CharField(help_text="active, stopped, or unknown")
    stopped = EndpointStopSerializer(
        allow_null=True, help_text="Who had stopped it; null of one that was not stopped then"
    )
    revisions = ServedRevisionSerializer(many=True)
    faults = serializers.ListField(
        child=serializers.CharField(), help_text="Why this may not be all, a sentence each"
    )


def deployment_body(row: Deployment) -> dict[str, Any]:
    """Return an endpoint at an instant as JSON values."""
    return {
        "at": rfc3339(row.at),
        "project": row.endpoint.project.slug,
        "environment": row.endpoint.environment,
        "endpoint": row.endpoint.pk,
        "endpoint_name": row.endpoint.name,
        "state": row.state,
        "stopped": _stop(row.stop) if row.stop else None,
        "revisions": [_revision(one) for one in row.revisions],
        "faults": row.faults,
    }


def _stop(row: EndpointStop) -> dict[str, Any]:
    return {
        "at": rfc3339(row.moment.at),
        "by": row.by,
        "by_name": row.name,
        "event": row.moment.index,
        "recalled": row.recall is not None,
        "recall": row.told,
    }


def _revision(row: ServedRevision) -> dict[str, Any]:
    period, approved = row.service.period, row.approved
    return {
        "id": row.id,
        "number": row.number,
        "percent": period.share.weight / 100,
        "header": period.share.header,
        "copies_percent": period.share.copies / 100,
        "since": rfc3339(period.begin.at),
        "until": rfc3339(period.end.at) if period.end else None,
        "started": period.started,
        "since_event": period.begin.index,
        "until_event": period.end.index if period.end else None,
        "model": approved.model,
        "version": approved.version,
        "bento_digest": row.bento,
        "release": approved.release,
        "release_number": approved.number,
        "policy_number": approved.policy,
        "policy_digest": approved.policy_digest,
        "approvals": [_approval(one) for one in approved.approvals],
        "receipts": [_receipt(one) for one in row.receipts],
    }


def _approval(one: Approval) -> dict[str, Any]:
    return {
        "person": one.person,
        "name": one.name,
        "role": one.role,
        "at": rfc3339(one.at),
        "emergency": one.emergency,
        "event": one.event,
        "recalled_since": one.recalled_since,
    }


def _receipt(one: RunReceipt) -> dict[str, Any]:
    return {
        "id": one.id,
        "node": one.node,
        "started_at": rfc3339(one.started_at),
        "ended_at": rfc3339(one.ended_at),
    }


class DeploymentList(ListView):
    """What served when."""

    filters = ("at", "project", "environment")

    @extend_schema(
        operation_id="deployments_list",
        parameters=[
            OpenApiParameter(
                "at",
                OpenApiTypes.DATETIME,
                description="The instant; if it is left out, that at which each page is asked for",
            ),
            OpenApiParameter("project", description="A project's slug"),
            OpenApiParameter("environment", description="An environment's name"),
        ],
        responses=page_of(DeploymentSerializer),
    )
    def get(self, request: Request) -> Response:
        """List what served behind each endpoint at an instant, by whose approval: from the log."""
        asked = request.query_params
        at = instant_of(asked.get("at", ""))
        wanted = {name: asked.get(name, "") for name in ("project", "environment")}
        refuse_unknown(wanted, called=named(wanted, self.actor, "endpoint.view"))

        def render(rows: Sequence[Endpoint]) -> list[Any]:
            return [deployment_body(row) for row in with_stops(deployments(rows, at), self.actor)]

        return self.page(endpoints_ever(self.actor, **wanted), render, order="pk")
