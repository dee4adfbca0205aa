"""What the routes of rollouts take and answer."""

from typing import Any

from rest_framework import serializers


def page_of(item: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    """Return the serializer of a page of ``item``, for the OpenAPI document."""
    name = item.__name__.removesuffix("Serializer") + "Page"
    fields = {"items": item(many=True), "next_cursor": serializers.CharField(allow_null=True)}
    return type(name, (serializers.Serializer,), fields)


class RolloutSerializer(serializers.Serializer[Any]):
    """A move of an endpoint from one revision to another."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField()
    endpoint = serializers.CharField()
    endpoint_name = serializers.CharField()
    release = serializers.CharField()
    kind = serializers.ChoiceField(choices=["release", "rollback"])
    state = serializers.ChoiceField(
        choices=["starting", "shifting", "draining", "done", "aborting", "aborted", "failed"]
    )
    reason = serializers.CharField()
    from_revision = serializers.CharField(allow_null=True)
    to_revision = serializers.CharField()
    weights = serializers.DictField(
        child=serializers.IntegerField(), help_text="Wanted, out of 10,000, by revision id"
    )
    phase_times = serializers.DictField(child=serializers.CharField())
    deadline = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=2000, allow_blank=True, default="")
