"""What became of predictions, as clients report it."""

import math
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.monitoring import actions, queries
from apps.monitoring.models import Outcome
from apps.serving.queries import get_endpoint
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.clock import rfc3339
from placet.kernel.filters import refuse_unknown

NAME = r"^[a-z][a-z0-9_]{0,39}$"
MOST, MOST_VALUE = 1000, 1e12


class OutcomeItemSerializer(serializers.Serializer[Any]):
    """What became of one prediction."""

    prediction = serializers.UUIDField(help_text="The header X-Placet-Prediction of the answer")
    name = serializers.RegexField(
        NAME, help_text="What was measured, such as chargeback: a to z, 0 to 9 and _"
    )
    value = serializers.FloatField(
        min_value=-MOST_VALUE, max_value=MOST_VALUE, help_text="1 or 0 for what happened or did not"
    )

    def validate_value(self, value: float) -> float:
        """Refuse what is no number: it lies within no bounds, and is refused by none."""
        if not math.isfinite(value):
            raise serializers.ValidationError("A number is needed")
        return value


class OutcomeReportSerializer(serializers.Serializer[Any]):
    """Up to 1,000 outcomes, taken in all or none."""

    outcomes = serializers.ListField(child=OutcomeItemSerializer(), min_length=1, max_length=MOST)


class OutcomeReceiptSerializer(serializers.Serializer[Any]):
    """How many outcomes were matched, wait for their prediction, and were reported before."""

    counted = serializers.IntegerField(help_text="Matched with a captured prediction")
    waiting = serializers.IntegerField(
        help_text="Their prediction was not captured, or is not here yet: kept for 7 days"
    )
    known = serializers.IntegerField(help_text="Reported before with the same value")


class OutcomeSerializer(serializers.Serializer[Any]):
    """What became of a prediction; without a revision while the prediction is not there."""

    prediction = serializers.UUIDField()
    name = serializers.CharField()
    value = serializers.FloatField()
    revision = serializers.CharField(allow_null=True)
    predicted_at = serializers.DateTimeField(allow_null=True)
    reported_at = serializers.DateTimeField()
    reported_by = serializers.CharField()


def outcome_body(row: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON values."""
    return {
        "prediction": str(row.prediction),
        "name": row.name,
        "value": row.value,
        "revision": row.revision or None,
        "predicted_at": rfc3339(row.predicted_at) if row.predicted_at else None,
        "reported_at": rfc3339(row.reported_at),
        "reported_by": row.reported_by,
    }


class Outcomes(ListView):
    """What became of predictions of one endpoint."""

    filters = ("name", "revision")

    @extend_schema(operation_id="outcomes_list", responses=page_of(OutcomeSerializer))
    def get(self, request: Request, endpoint: str) -> Response:
        """List reported outcomes, the last first; ``name`` and ``revision`` narrow them."""
        row = get_endpoint(endpoint, self.actor)
        rows = queries.outcomes_of(row, self.actor)
        refuse_unknown(request.query_params, ids={"revision": row.revisions.all()})
        return self.page(self.narrowed(rows), lambda page: [outcome_body(row) for row in page])

    @extend_schema(
        operation_id="outcomes_report",
        request=OutcomeReportSerializer,
        responses=OutcomeReceiptSerializer,
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Say what became of predictions, by their ids. Saying the same twice is harmless."""
        row = get_endpoint(endpoint, self.actor)
        outcomes = [actions.Said(**item) for item in self.body(OutcomeReportSerializer)["outcomes"]]
        done = actions.report_outcomes(row, outcomes, actor=self.actor)
        return Response({"counted": done.counted, "waiting": done.waiting, "known": done.known})
