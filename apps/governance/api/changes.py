"""How a release differs from what is live."""

from typing import Any

from rest_framework import serializers


class MetricSerializer(serializers.Serializer[Any]):
    """A metric of what is proposed, beside what is live."""

    name = serializers.CharField()
    live = serializers.FloatField(allow_null=True)
    proposed = serializers.FloatField(allow_null=True)
    change = serializers.FloatField(allow_null=True)
    direction = serializers.ChoiceField(["up", "down", "same", "new", "gone"])
    source = serializers.CharField()  # type: ignore[assignment]


class SchemaChangeSerializer(serializers.Serializer[Any]):
    """An input or output that differs from what is live."""

    side = serializers.ChoiceField(["input", "output"])
    name = serializers.CharField()
    change = serializers.CharField()
    breaking = serializers.BooleanField()


class DependencySerializer(serializers.Serializer[Any]):
    """A locked package whose version differs from what is live."""

    name = serializers.CharField()
    live = serializers.CharField()
    proposed = serializers.CharField()


class ChangesSerializer(serializers.Serializer[Any]):
    """How a release differs from what is live, or was when it was decided."""

    compared_with = serializers.CharField(
        help_text="What is live at its endpoint, and once it is decided what was live then; '' for "
        "nothing"
    )
    metrics = MetricSerializer(many=True)
    schema = SchemaChangeSerializer(many=True)
    dependencies = DependencySerializer(many=True)
    dependency_count = serializers.IntegerField()
    policy_live = serializers.IntegerField(allow_null=True)
    policy_proposed = serializers.IntegerField()
