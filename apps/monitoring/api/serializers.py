"""What the routes take and answer."""

from typing import Any

from rest_framework import serializers

from apps.monitoring.models import AlertKind, AlertState


class TermsSerializer(serializers.Serializer[Any]):
    """What an endpoint is held to: an availability, a latency, or both."""

    availability = serializers.FloatField(
        allow_null=True, default=None, min_value=0.5, max_value=1,
        help_text="The least share of answers that are no 5xx, such as 0.999",
    )  # fmt: skip
    latency_ms = serializers.IntegerField(
        allow_null=True, default=None, min_value=5, max_value=10_000,
        help_text="A bound of the measured histogram, such as 250",
    )  # fmt: skip
    latency_quantile = serializers.FloatField(
        default=0.99, min_value=0.5, max_value=0.999,
        help_text="The least share of answers within latency_ms",
    )  # fmt: skip
    window_minutes = serializers.IntegerField(default=15, min_value=1, max_value=360)
    min_requests = serializers.IntegerField(
        default=100, min_value=1, max_value=1_000_000,
        help_text="With fewer in the window nothing is judged",
    )  # fmt: skip
    expect_traffic = serializers.BooleanField(
        default=False, help_text="Fewer requests than min_requests open an alert of their own"
    )
    roll_back = serializers.BooleanField(
        default=False, help_text="A breach rolls the endpoint back, once"
    )
    owner = serializers.CharField(
        default="", allow_blank=True, max_length=40,
        help_text="The person to tell; whoever sets the objective when empty",
    )  # fmt: skip


class StandingSerializer(serializers.Serializer[Any]):
    """How a live revision stands to its objective; ``latency_ms`` is an upper bound."""

    standing = serializers.ChoiceField(choices=["met", "breached", "unknown"])
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


class AlertSerializer(serializers.Serializer[Any]):
    """One thing that is wrong with one subject, from its beginning to its end."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=AlertKind.values)
    state = serializers.ChoiceField(choices=AlertState.values)
    subject = serializers.CharField(help_text="An endpoint, a target, a kind of job, or 'log'")
    about = serializers.CharField(help_text="The subject, as people name it")
    summary = serializers.CharField()
    answer = serializers.CharField(help_text="What the platform did about it by itself")
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
