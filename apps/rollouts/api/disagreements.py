"""Where the new revision of a rollout and the stable one disagree."""

import math
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.monitoring.queries import TOLERANCE, Compared
from apps.rollouts import queries
from apps.rollouts.models import Rollout
from placet.kernel.api.views import PlacetView
from placet.kernel.clock import rfc3339
from placet.kernel.problems import FieldError, InvalidInput


class DisagreementSerializer(serializers.Serializer[Any]):
    """One request to which two revisions gave different answers, one for each row."""

    id = serializers.UUIDField(help_text="The prediction id, which both answers have")
    at = serializers.DateTimeField()
    inputs = serializers.JSONField()
    stable = serializers.JSONField()
    candidate = serializers.JSONField()


class DisagreementsSerializer(serializers.Serializer[Any]):
    """How the answers of two revisions to the same requests compare.

    These are the requests that both captured since the rollout began.
    """

    stable_revision = serializers.CharField(allow_null=True)
    candidate_revision = serializers.CharField()
    tolerance = serializers.FloatField()
    pairs = serializers.IntegerField(help_text="The newest 5,000 at most")
    disagreements = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True, help_text="null without pairs")
    items = DisagreementSerializer(many=True, help_text="The newest 50 disagreements at most")


def compared_body(rollout: Rollout, found: Compared) -> dict[str, Any]:
    """Return a comparison as JSON values."""
    return {
        "stable_revision": rollout.from_revision_id,
        "candidate_revision": rollout.to_revision_id,
        "tolerance": found.tolerance,
        "pairs": found.pairs,
        "disagreements": found.disagreements,
        "share": found.share,
        "items": [
            {
                "id": row.prediction,
                "at": rfc3339(row.at),
                "inputs": row.inputs,
                "stable": row.stable,
                "candidate": row.candidate,
            }
            for row in found.shown
        ],
    }


class RolloutDisagreements(PlacetView):
    """Where the new revision of a rollout and the stable one disagree."""

    query_params = ("tolerance",)

    @extend_schema(
        operation_id="rollouts_disagreements",
        responses=DisagreementsSerializer,
        parameters=[
            OpenApiParameter(
                "tolerance", float, description="How far numbers may differ, absolute or relative"
            )
        ],
    )
    def get(self, request: Request, rollout: str) -> Response:
        """Compare captured answers to the same requests. Needs ``prediction.view``."""
        row = queries.get_rollout(rollout, self.actor)
        tolerance = tolerance_of(request.query_params.get("tolerance", str(TOLERANCE)))
        compared = queries.disagreements(row, self.actor, tolerance=tolerance)
        return Response(compared_body(row, compared))


def tolerance_of(text: str) -> float:
    """Read a tolerance."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1e9:
        raise InvalidInput(errors=[FieldError("tolerance", "Must be a number from 0 to 1e9")])
    return value
