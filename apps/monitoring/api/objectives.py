"""What endpoints are held to."""

import math
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.monitoring import actions, queries
from apps.monitoring.models import Objective
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.models import Endpoint
from apps.serving.queries import get_endpoint
from apps.serving.rules import RevisionState
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import now
from placet.kernel.problems import NotFound

STANDINGS = ["met", "breached", "unknown"]


class TermsSerializer(serializers.Serializer[Any]):
    """What an endpoint is held to: an availability, a latency, or both."""

    availability = serializers.FloatField(
        allow_null=True,
        default=None,
        min_value=0.5,
        max_value=1,
        help_text="The least share of answers that are no 5xx, such as 0.999",
    )
    latency_ms = serializers.IntegerField(
        allow_null=True,
        default=None,
        min_value=5,
        max_value=10_000,
        help_text="A bound of the measured histogram, such as 250",
    )
    latency_quantile = serializers.FloatField(
        default=0.99,
        min_value=0.5,
        max_value=0.999,
        help_text="The least share of answers within latency_ms",
    )
    window_minutes = serializers.IntegerField(default=15, min_value=1, max_value=360)
    min_requests = serializers.IntegerField(
        default=100,
        min_value=1,
        max_value=1_000_000,
        help_text="With fewer in the window nothing is judged",
    )
    expect_traffic = serializers.BooleanField(
        default=False, help_text="Fewer requests than min_requests open an alert of their own"
    )
    roll_back = serializers.BooleanField(
        default=False, help_text="A breach rolls the endpoint back, once"
    )
    owner = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=40,
        help_text="The person to tell; whoever sets the objective when empty",
    )


class StandingSerializer(serializers.Serializer[Any]):
    """How a live revision stands to its objective; ``latency_ms`` is an upper bound."""

    standing = serializers.ChoiceField(choices=STANDINGS)
    reason = serializers.CharField()
    revision = serializers.CharField()
    requests = serializers.IntegerField()
    availability = serializers.FloatField(allow_null=True)
    latency_ms = serializers.FloatField(
        allow_null=True, help_text="An upper bound of the quantile; null beyond the last bound"
    )
    trusted = serializers.BooleanField()


class ObjectiveSerializer(TermsSerializer):
    """What an endpoint is held to; ``now`` is ``null`` when nothing is live."""

    endpoint = serializers.CharField()
    now = StandingSerializer(allow_null=True)


def objective_tag(row: Objective) -> str:
    """Return the ETag of an objective."""
    return etag(row.pk, row.generation)


def objective_body(row: Objective, endpoint: Endpoint) -> dict[str, Any]:
    """Return an objective and how it stands as JSON values."""
    live = endpoint.revisions.filter(state=RevisionState.LIVE).first()
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
        endpoint_row = get_endpoint(endpoint, self.actor)
        row = self._row(endpoint_row)
        return Response(objective_body(row, endpoint_row), headers={"ETag": objective_tag(row)})

    @extend_schema(
        operation_id="objectives_set",
        request=TermsSerializer,
        responses={200: ObjectiveSerializer, 201: ObjectiveSerializer},
    )
    def put(self, request: Request, endpoint: str) -> Response:
        """Set what an endpoint is held to; If-Match when it is held to something already."""
        endpoint_row = get_endpoint(endpoint, self.actor)
        data: Any = dict(self.body(TermsSerializer))
        owner = data.pop("owner")
        before = queries.objective_of(endpoint_row)
        tag = objective_tag(before) if before else None
        match_for("endpoint.operate", endpoint_row, tag, asked=self, see="endpoint.view")
        row = actions.set_objective(
            endpoint_row,
            terms=ObjectiveTerms(**data),
            owner=owner,
            actor=self.actor,
            if_generation=before.generation if before else None,
        )
        headers = {"ETag": objective_tag(row)}
        return Response(objective_body(row, endpoint_row), 200 if before else 201, headers=headers)

    @extend_schema(operation_id="objectives_remove", responses={204: None})
    def delete(self, request: Request, endpoint: str) -> Response:
        """Hold an endpoint to nothing any more. Needs If-Match."""
        endpoint_row = get_endpoint(endpoint, self.actor)
        row = self._row(endpoint_row)
        tag = objective_tag(row)
        match_for("endpoint.operate", endpoint_row, tag, asked=self, see="endpoint.view")
        actions.remove_objective(endpoint_row, if_generation=row.generation, actor=self.actor)
        return Response(status=204)

    def _row(self, endpoint: Endpoint) -> Objective:
        row = queries.objective_of(endpoint)
        if row is None:
            raise NotFound("The endpoint has no SLO")
        return row
