"""A rollout over time."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.monitoring.rules import WindowCounts
from apps.rollouts import queries
from apps.rollouts.series import Series, series_of
from placet.kernel.api.views import PlacetView
from placet.kernel.clock import rfc3339


class MeasuredSerializer(serializers.Serializer[Any]):
    """What one revision answered in one stretch of time."""

    requests = serializers.IntegerField()
    per_second = serializers.FloatField(allow_null=True)
    error_rate = serializers.FloatField(allow_null=True)
    p50_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)


class PlannedSerializer(serializers.Serializer[Any]):
    """The weight that the new revision was to have from then on."""

    at = serializers.DateTimeField()
    weight = serializers.IntegerField(help_text="Out of 10,000")


class PointSerializer(serializers.Serializer[Any]):
    """One stretch of time; null: no request."""

    at = serializers.DateTimeField(help_text="When it began")
    share = serializers.FloatField(
        allow_null=True,
        help_text="Of the requests that the split decided on, to the new revision",
    )
    new = MeasuredSerializer(allow_null=True)
    old = MeasuredSerializer(allow_null=True)
    copies = MeasuredSerializer(
        allow_null=True, help_text="Of requests, to the new revision; nobody got the answers"
    )


class SeriesSerializer(serializers.Serializer[Any]):
    """A rollout over time: what was planned, and what both revisions answered.

    It is told from a minute before it began to a minute after it ended.
    """

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    seconds = serializers.IntegerField(help_text="Of one stretch")
    growing = serializers.BooleanField(help_text="More is to come")
    planned = PlannedSerializer(many=True)
    applied = serializers.DateTimeField(
        help_text="When the node was seen to apply the present weights, or else when they were "
        "planned; what was counted in a stretch that began before holds others too"
    )
    points = PointSerializer(many=True)


class RolloutSeries(PlacetView):
    """A rollout over time."""

    @extend_schema(operation_id="rollouts_series", responses=SeriesSerializer)
    def get(self, request: Request, rollout: str) -> Response:
        """Read the planned and the measured weight, errors and latency of both revisions over time.

        Windows of a node are added up to at most 240 stretches, however long it goes on.
        """
        return Response(series_body(series_of(queries.get_rollout(rollout, self.actor))))


def series_body(found: Series) -> dict[str, Any]:
    """Return a rollout over time as JSON values."""
    return {
        "since": rfc3339(found.since),
        "until": rfc3339(found.until),
        "seconds": found.seconds,
        "growing": found.growing,
        "planned": [{"at": rfc3339(row.at), "weight": row.weight} for row in found.planned],
        "applied": rfc3339(found.applied),
        "points": [
            {
                "at": rfc3339(point.at),
                "share": point.share,
                "new": measured_body(point.candidate),
                "old": measured_body(point.stable),
                "copies": measured_body(point.copies),
            }
            for point in found.points
        ],
    }


def measured_body(counts: WindowCounts | None) -> dict[str, Any] | None:
    """Return what a revision answered in a stretch as JSON values."""
    if counts is None:
        return None
    return {
        "requests": counts.requests,
        "per_second": counts.requests / counts.seconds if counts.seconds else None,
        "error_rate": counts.error_rate,
        "p50_ms": counts.percentile(0.50),
        "p95_ms": counts.percentile(0.95),
        "p99_ms": counts.percentile(0.99),
    }
