"""An endpoint over time."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.rollouts.traffic import FIRST, RANGES, Traffic, TrafficPoint, range_of, traffic_of
from apps.serving.queries import get_endpoint
from placet.kernel.api.views import PlacetView
from placet.kernel.clock import rfc3339


class TrafficPointSerializer(serializers.Serializer[Any]):
    """What clients saw of all revisions together in one stretch of time."""

    at = serializers.DateTimeField(help_text="When it began")
    requests = serializers.IntegerField()
    per_second = serializers.FloatField()
    error_rate = serializers.FloatField(
        allow_null=True, help_text="The share of 5xx; null without requests"
    )
    client_error_rate = serializers.FloatField(
        allow_null=True, help_text="The share of 4xx; null without requests"
    )
    p50_ms = serializers.FloatField(
        allow_null=True, help_text="Of the merged histograms, evenly spread within a bucket"
    )
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)


class TrafficMarkSerializer(serializers.Serializer[Any]):
    """Something that happened to the endpoint."""

    at = serializers.DateTimeField()
    kind = serializers.CharField(help_text="rollout, rollback, drill or alert")
    says = serializers.CharField(help_text="What happened, in words")
    id = serializers.CharField(help_text="Of the rollout or the alert")


class TrafficSerializer(serializers.Serializer[Any]):
    """An endpoint over time. A stretch in which nothing was counted is left out."""

    range = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="What is younger may still be on its way")
    seconds = serializers.IntegerField(help_text="Of one stretch")
    growing = serializers.BooleanField(help_text="More is to come")
    points = TrafficPointSerializer(many=True, help_text="At most 300")
    marks = TrafficMarkSerializer(
        many=True, help_text="The newest 20 rollouts and the newest 20 alerts at most"
    )


class EndpointTraffic(PlacetView):
    """An endpoint over time."""

    query_params = ("range",)

    @extend_schema(
        operation_id="endpoints_traffic",
        responses=TrafficSerializer,
        parameters=[
            OpenApiParameter(
                "range", str, description=f"One of {', '.join(RANGES)}; {FIRST} unless given"
            )
        ],
    )
    def get(self, request: Request, endpoint: str) -> Response:
        """Read requests, errors and latency over time, with rollouts and alerts marked.

        Windows of nodes are added up to at most 300 stretches, however long the range is.
        Rollouts and alerts are there for who may see them.
        """
        chosen = range_of(request.query_params.get("range", ""))
        row = get_endpoint(endpoint, self.actor)
        return Response(traffic_body(traffic_of(row, chosen, self.actor)))


def traffic_body(found: Traffic) -> dict[str, Any]:
    """Return an endpoint over time as JSON values."""
    return {
        "range": found.range.name,
        "since": rfc3339(found.since),
        "until": rfc3339(found.until),
        "seconds": found.range.seconds,
        "growing": found.growing,
        "points": [_point(point) for point in found.points],
        "marks": [
            {"at": rfc3339(mark.at), "kind": mark.kind, "says": mark.says, "id": mark.id}
            for mark in found.marks
        ],
    }


def _point(point: TrafficPoint) -> dict[str, Any]:
    counts = point.counts
    return {
        "at": rfc3339(point.at),
        "requests": counts.requests,
        "per_second": counts.requests / point.seconds,
        "error_rate": counts.error_rate,
        "client_error_rate": counts.rejected_rate,
        "p50_ms": counts.percentile(0.50),
        "p95_ms": counts.percentile(0.95),
        "p99_ms": counts.percentile(0.99),
    }
