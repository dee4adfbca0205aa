"""What the routes take and answer."""

from typing import Any

from rest_framework import serializers

from apps.integrations.models import Delivery, StreamKind, StreamState
from apps.integrations.queries import Standing
from apps.integrations.rules import MAX_ALERT, MAX_URL, MIN_ALERT
from placet.kernel.clock import rfc3339

FILE = "A file in the folder of stream secrets (PLACET_STREAMS_DIR), by its bare name"


class NewStreamSerializer(serializers.Serializer[Any]):
    """Where the log is to be sent."""

    name = serializers.CharField(max_length=60, help_text="Small letters, digits and hyphens")
    kind = serializers.ChoiceField(choices=StreamKind.values)
    url = serializers.CharField(
        max_length=MAX_URL, help_text="https://… or tls://host:port; http, tcp to this machine only"
    )
    token_file = serializers.CharField(
        default="", allow_blank=True, max_length=100, help_text=f"{FILE}: sent as Authorization"
    )
    ca_file = serializers.CharField(
        default="", allow_blank=True, max_length=100, help_text=f"{FILE}: who vouches for the host"
    )
    cert_file = serializers.CharField(
        default="", allow_blank=True, max_length=100,
        help_text=f"{FILE}: our certificate with its key",
    )  # fmt: skip
    project = serializers.CharField(
        allow_null=True, default=None, help_text="A slug; null: the whole instance"
    )
    start = serializers.IntegerField(
        allow_null=True, default=None, min_value=0,
        help_text="The index of the first event to send; null: the next that comes",
    )  # fmt: skip
    alert_after_seconds = serializers.IntegerField(
        default=900, min_value=MIN_ALERT, max_value=MAX_ALERT,
        help_text="An alert opens when the oldest event not sent yet is older",
    )  # fmt: skip


class RewindSerializer(serializers.Serializer[Any]):
    """Where to go back to."""

    index = serializers.IntegerField(min_value=0, help_text="The first event to send again")


class DeliverySerializer(serializers.Serializer[Any]):
    """One attempt to send a batch, or a test; ``detail`` says why it was not accepted."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    test = serializers.BooleanField()
    first = serializers.IntegerField(help_text="The index of its first event")
    events = serializers.IntegerField()
    bytes = serializers.IntegerField()
    seconds = serializers.FloatField()
    accepted = serializers.BooleanField()
    detail = serializers.CharField(help_text="Why it was not accepted")


class StreamSerializer(serializers.Serializer[Any]):
    """A stream of the log and how far it has come; without a project it is the instance's."""

    id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=StreamKind.values)
    url = serializers.CharField()
    token_file = serializers.CharField()
    ca_file = serializers.CharField()
    cert_file = serializers.CharField()
    project = serializers.CharField(allow_null=True, help_text="null: the whole instance")
    alert_after_seconds = serializers.IntegerField()
    state = serializers.ChoiceField(choices=StreamState.values)
    cursor = serializers.IntegerField(help_text="The index of the next event")
    size = serializers.IntegerField(help_text="How many events the log has")
    lag_events = serializers.IntegerField()
    lag_seconds = serializers.FloatField(help_text="The age of the oldest event not sent yet")
    failures = serializers.IntegerField(help_text="In a row")
    error = serializers.CharField(help_text="The last one in words; empty when it is over")
    retry_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    started_by = serializers.CharField(help_text="Empty: nobody let it begin yet")
    created_at = serializers.DateTimeField()


class StreamDetailSerializer(StreamSerializer):
    """A stream with its last attempts, newest first."""

    deliveries = DeliverySerializer(many=True)


def stream_body(found: Standing) -> dict[str, Any]:
    """Return a stream as JSON values."""
    row = found.stream
    return {
        "id": row.pk,
        "name": row.name,
        "kind": row.kind,
        "url": row.url,
        "token_file": row.token_file,
        "ca_file": row.ca_file,
        "cert_file": row.cert_file,
        "project": row.project.slug if row.project else None,
        "alert_after_seconds": row.alert_after_seconds,
        "state": row.state,
        "cursor": row.cursor,
        "size": found.size,
        "lag_events": found.events,
        "lag_seconds": round(found.seconds, 3),
        "failures": row.failures,
        "error": row.error,
        "retry_at": rfc3339(row.retry_at) if row.retry_at else None,
        "delivered_at": rfc3339(row.delivered_at) if row.delivered_at else None,
        "created_by": row.created_by,
        "started_by": row.started_by,
        "created_at": rfc3339(row.created_at),
    }


def delivery_body(row: Delivery) -> dict[str, Any]:
    """Return an attempt as JSON values."""
    return {
        "id": row.pk,
        "at": rfc3339(row.at),
        "test": row.test,
        "first": row.first,
        "events": row.events,
        "bytes": row.bytes,
        "seconds": row.seconds,
        "accepted": row.accepted,
        "detail": row.detail,
    }
