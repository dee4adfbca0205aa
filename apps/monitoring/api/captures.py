"""Captured predictions and their erasing."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.monitoring import actions, parquet, queries
from apps.monitoring.models import CapturedPrediction, Erasure, Outcome
from apps.monitoring.prediction_lines import json_or_none
from apps.serving.queries import get_endpoint
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.clock import rfc3339
from placet.kernel.filters import refuse_unknown


class PredictionSerializer(serializers.Serializer[Any]):
    """A prediction that was written down; ``unit`` is a salted hash.

    Inputs and outputs are ``null`` when they were over the bound.
    """

    id = serializers.UUIDField(help_text="The header X-Placet-Prediction of the answer")
    revision = serializers.CharField()
    at = serializers.DateTimeField()
    unit = serializers.CharField(allow_null=True, help_text="A salted hash, not the unit itself")
    cohort = serializers.ChoiceField(
        choices=["no_unit", "overridden", "mirrored"],
        allow_null=True,
        help_text="Why no split decided on the request; null where one did",
    )
    rows = serializers.IntegerField(allow_null=True)
    inputs = serializers.JSONField(help_text="One object per row")
    outputs = serializers.JSONField(help_text="One answer per row")
    milliseconds = serializers.FloatField(allow_null=True)
    outcomes = serializers.DictField(
        child=serializers.FloatField(), help_text="What was reported of it, by name"
    )


class CaptureSettingsSerializer(serializers.Serializer[Any]):
    """What a release was approved to capture."""

    percent = serializers.FloatField()
    redact = serializers.ListField(child=serializers.CharField())
    days = serializers.IntegerField()
    max_bytes = serializers.IntegerField()


class CapturedSerializer(serializers.Serializer[Any]):
    """What one revision captured over the last 24 hours, and an estimate of what is missing."""

    revision = serializers.CharField()
    settings = CaptureSettingsSerializer()
    captured = serializers.IntegerField()
    expected = serializers.IntegerField(
        help_text="The approved share of the answers 2xx that were counted"
    )
    chance = serializers.IntegerField(help_text="How far chance may lead from that, 3 sigma")
    missing = serializers.IntegerField(help_text="What is missing beyond chance: an estimate")
    dropped = serializers.IntegerField(help_text="What the service had no room for")
    unreadable = serializers.IntegerField(help_text="Lines that were no prediction")


class CapturedListSerializer(serializers.Serializer[Any]):
    """How much was captured, by revision."""

    items = CapturedSerializer(many=True)


class EraseSerializer(serializers.Serializer[Any]):
    """Whose predictions are to be erased."""

    unit = serializers.CharField(
        max_length=128, trim_whitespace=False, help_text="As the requests carried it"
    )


class ErasureSerializer(serializers.Serializer[Any]):
    """The erasing of what was captured of one unit; ``erased`` counts predictions."""

    id = serializers.CharField()
    endpoint = serializers.CharField()
    requested_by = serializers.CharField()
    requested_at = serializers.DateTimeField()
    done_at = serializers.DateTimeField(allow_null=True)
    erased = serializers.IntegerField(help_text="Predictions")


def prediction_body(
    row: CapturedPrediction, content: parquet.ParquetRow | None, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Return a prediction as JSON values; without its content when that was erased meanwhile."""
    return {
        "id": str(row.prediction),
        "revision": row.revision,
        "at": rfc3339(row.at),
        "unit": row.unit or None,
        "cohort": row.cohort or None,
        "rows": content.row_count if content else None,
        "inputs": json_or_none(content.inputs) if content else None,
        "outputs": json_or_none(content.outputs) if content else None,
        "milliseconds": content.milliseconds if content else None,
        "outcomes": {outcome.name: outcome.value for outcome in outcomes},
    }


def prediction_bodies(rows: Sequence[CapturedPrediction]) -> list[dict[str, Any]]:
    """Return some predictions as JSON values."""
    contents, outcomes = queries.contents(rows), queries.outcomes_for(rows)
    return [prediction_body(row, contents.get(row.pk), outcomes[row.pk]) for row in rows]


def captured_body(row: queries.Captured) -> dict[str, Any]:
    """Return what a revision captured as JSON values."""
    return {
        "revision": row.revision.pk,
        "settings": asdict(row.capture) | {"redact": [*row.capture.redact]},
        "captured": row.captured,
        "expected": row.expected,
        "chance": row.chance,
        "missing": row.missing,
        "dropped": row.dropped,
        "unreadable": row.unreadable,
    }


def erasure_body(row: Erasure) -> dict[str, Any]:
    """Return an erasure as JSON values; the unit is nowhere in it."""
    return {
        "id": row.pk,
        "endpoint": row.endpoint_id,
        "requested_by": row.requested_by,
        "requested_at": rfc3339(row.requested_at),
        "done_at": rfc3339(row.done_at) if row.done_at else None,
        "erased": row.erased,
    }


class Predictions(ListView):
    """Captured predictions of one endpoint."""

    filters = ("revision",)

    @extend_schema(operation_id="predictions_list", responses=page_of(PredictionSerializer))
    def get(self, request: Request, endpoint: str) -> Response:
        """List captured predictions, the last stored first; ``revision`` narrows them."""
        row = get_endpoint(endpoint, self.actor)
        rows = queries.captured_predictions(row, self.actor)
        refuse_unknown(request.query_params, ids={"revision": row.revisions.all()})
        return self.page(self.narrowed(rows), prediction_bodies)


class CaptureFigures(PlacetView):
    """How much is captured at one endpoint."""

    @extend_schema(operation_id="capture_read", responses=CapturedListSerializer)
    def get(self, request: Request, endpoint: str) -> Response:
        """Read what was captured over the last 24 hours, and what is missing."""
        rows = queries.captured_of(get_endpoint(endpoint, self.actor))
        return Response({"items": [captured_body(row) for row in rows]})


class Erasures(ListView):
    """Erasing what was captured of one unit."""

    @extend_schema(operation_id="erasures_list", responses=page_of(ErasureSerializer))
    def get(self, request: Request, endpoint: str) -> Response:
        """List what was erased at an endpoint, newest first."""
        rows = queries.erasures_of(get_endpoint(endpoint, self.actor), self.actor)
        return self.page(rows, lambda page: [erasure_body(row) for row in page])

    @extend_schema(
        operation_id="erasures_create", request=EraseSerializer, responses={202: ErasureSerializer}
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Have everything captured of one unit erased; a job carries it out."""
        row = get_endpoint(endpoint, self.actor)
        unit = self.body(EraseSerializer)["unit"]
        return Response(erasure_body(actions.erase_unit(row, unit=unit, actor=self.actor)), 202)
