"""What the routes of rollouts take and answer."""

from typing import Any

from rest_framework import serializers

OUTCOMES = ["successful", "failed", "inconclusive", "error"]


class RolloutSerializer(serializers.Serializer[Any]):
    """An endpoint on its way from one revision to the next."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField()
    endpoint = serializers.CharField()
    endpoint_name = serializers.CharField()
    release = serializers.CharField()
    kind = serializers.ChoiceField(choices=["release", "rollback", "drill"])
    state = serializers.ChoiceField(
        choices=[
            "starting",
            "shifting",
            "waiting",
            "analysing",
            "draining",
            "returning",
            "done",
            "aborting",
            "aborted",
            "failed",
        ]
    )
    reason = serializers.CharField()
    from_revision = serializers.CharField(allow_null=True)
    to_revision = serializers.CharField()
    weights = serializers.DictField(
        child=serializers.IntegerField(), help_text="Wanted, out of 10,000, by revision id"
    )
    steps = serializers.ListField(
        child=serializers.DictField(), help_text="What it carries out, in the plan's own words"
    )
    guard = serializers.DictField(
        help_text="When its node gives all requests back by itself, in the plan's own words"
    )
    step = serializers.IntegerField(
        allow_null=True, help_text="The place of the present step among them, from 0"
    )
    step_times = serializers.DictField(
        child=serializers.CharField(), help_text="When each step began, by its place"
    )
    paused = serializers.BooleanField(help_text="Somebody holds it: no step begins")
    promoted = serializers.BooleanField(help_text="Somebody sent it to the end")
    phase_times = serializers.DictField(child=serializers.CharField())
    deadline = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


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
    points = PointSerializer(many=True)


class StepSerializer(serializers.Serializer[Any]):
    """Why, and which step was shown."""

    reason = serializers.CharField(max_length=2000)
    step = serializers.IntegerField(
        min_value=-1,
        help_text="The step that was shown (null: -1); another by now is 409 step_moved",
    )


class WhySerializer(serializers.Serializer[Any]):
    """Why; not optional."""

    reason = serializers.CharField(max_length=2000)


class RollbackSerializer(serializers.Serializer[Any]):
    """Why, and where to."""

    reason = serializers.CharField(max_length=2000, allow_blank=True, default="")
    revision = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="The number of a former revision, of the last five; left out: the one before",
    )


class ReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=2000, allow_blank=True, default="")
