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
        choices=[
            "starting",
            "shifting",
            "waiting",
            "draining",
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


class ReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=2000, allow_blank=True, default="")
