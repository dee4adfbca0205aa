"""What the analyses of a rollout said."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.rollouts import queries
from apps.rollouts.models import Look
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.clock import rfc3339
from placet.kernel.problems import FieldError, InvalidInput

OUTCOMES = ["successful", "failed", "inconclusive", "error"]


class FindingSerializer(serializers.Serializer[Any]):
    """One metric of an analysis. Evidence is in powers of ten, and decides at ``needed``."""

    metric = serializers.CharField()
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    sentence = serializers.CharField()
    new_requests = serializers.IntegerField()
    new_bad = serializers.IntegerField()
    stable_requests = serializers.IntegerField(allow_null=True)
    stable_bad = serializers.IntegerField(allow_null=True)
    low = serializers.FloatField(
        help_text="Lower bound of the difference to stable, or of the rate that is held to a bound"
    )
    high = serializers.FloatField(help_text="Upper bound of the same")
    limit = serializers.FloatField(help_text="How much is allowed of it")
    evidence_worse = serializers.FloatField(help_text="That it is worse than allowed")
    evidence_better = serializers.FloatField(help_text="That it is not")
    needed = serializers.FloatField()
    more_requests = serializers.IntegerField(
        allow_null=True,
        help_text="Of the new revision, that would settle it if both go on like this; null: none",
    )
    more_seconds = serializers.IntegerField(allow_null=True, help_text="How long they take to come")
    sought = serializers.BooleanField(
        required=False, help_text="It is the effect that an A/B test seeks, not a limit"
    )


class ReadingSerializer(serializers.Serializer[Any]):
    """What a Prometheus said last, and what follows."""

    query = serializers.CharField()
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    sentence = serializers.CharField()
    value = serializers.FloatField(allow_null=True, help_text="null: nothing, or no number")
    side = serializers.ChoiceField(choices=("at_most", "at_least"))
    limit = serializers.FloatField()
    for_seconds = serializers.IntegerField(help_text="How long it is to be kept, or broken")


class LookSerializer(serializers.Serializer[Any]):
    """What an analysis said at one moment, and what it rested on."""

    step = serializers.IntegerField(help_text="The place of the analysis in the plan, from 0")
    at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(choices=OUTCOMES)
    sentence = serializers.CharField()
    new_requests = serializers.IntegerField()
    stable_requests = serializers.IntegerField()
    planned_share = serializers.FloatField(help_text="Of the requests, for the new revision")
    evidence_of_another_share = serializers.FloatField()
    findings = FindingSerializer(many=True)
    readings = ReadingSerializer(many=True)


class RolloutLooks(ListView):
    """What the analyses of a rollout said."""

    filters = ("step",)

    @extend_schema(operation_id="rollouts_looks", responses=page_of(LookSerializer))
    def get(self, request: Request, rollout: str) -> Response:
        """List the looks at both revisions, newest first; ``step`` narrows them to one analysis,
        by its place in the plan, from 0."""
        rows = queries.looks(queries.get_rollout(rollout, self.actor))
        if (step := request.query_params.get("step")) is not None:
            rows = rows.filter(step=step_of(step))
        return self.page(rows, lambda page: [look_body(row) for row in page])


def step_of(text: str) -> int:
    """Read the index of a step."""
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise InvalidInput(errors=[FieldError("step", "The place of a step, from 0")])
    return int(text)


def look_body(row: Look) -> dict[str, Any]:
    """Return a look as JSON values."""
    return {"step": row.step, "at": rfc3339(row.at), "readings": [], **row.verdict}
