"""What the routes of builds answer."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.builds.models import BuildState


@extend_schema_field({"type": "object", "additionalProperties": {"type": "number"}})
class SecondsField(serializers.JSONField):
    """Seconds by step."""


class NewBuildSerializer(serializers.Serializer[Any]):
    """How to build; an empty body means all defaults."""

    accelerate = serializers.BooleanField(
        default=False, help_text="try the model's ONNX form, and serve it if its answers are equal"
    )


class BuildSerializer(serializers.Serializer[Any]):
    """A version being turned into a Bento."""

    id = serializers.CharField()
    version = serializers.CharField(source="version_id")
    name = serializers.CharField(source="version.__str__", help_text="model:number")
    state = serializers.ChoiceField(choices=BuildState.choices)
    step = serializers.CharField()
    isolation = serializers.CharField()
    error = serializers.CharField()
    bento_digest = serializers.CharField()
    requested_by = serializers.CharField()
    job = serializers.CharField()
    timings = SecondsField()
    accelerate = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class LineSerializer(serializers.Serializer[Any]):
    """One line of a build's log."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    step = serializers.CharField()
    text = serializers.CharField()


class LogSerializer(serializers.Serializer[Any]):
    """Part of a build's log; ask again with ``after`` until ``ended`` and no lines are left."""

    lines = LineSerializer(many=True)
    after = serializers.IntegerField(help_text="the number of the last line here")
    state = serializers.ChoiceField(choices=BuildState.choices)
    step = serializers.CharField()
    ended = serializers.BooleanField()


class WheelSerializer(serializers.Serializer[Any]):
    """One package of a runtime."""

    name = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()


class RuntimeSerializer(serializers.Serializer[Any]):
    """A Python and its locked packages."""

    digest = serializers.CharField()
    python_version = serializers.CharField()
    lock = serializers.CharField()
    wheels = WheelSerializer(many=True)
    created_at = serializers.DateTimeField()


class BentoSerializer(serializers.Serializer[Any]):
    """What is approved and served, byte for byte."""

    digest = serializers.CharField()
    version = serializers.CharField(source="version_id")
    name = serializers.CharField(source="version.__str__", help_text="model:number")
    project = serializers.CharField(source="project.slug")
    build = serializers.CharField(source="build_id")
    isolation = serializers.CharField(source="build.isolation")
    runtime = serializers.CharField(source="runtime_id")
    python_version = serializers.CharField(source="runtime.python_version")
    size = serializers.IntegerField()
    sbom_sha256 = serializers.CharField(source="sbom")
    has_model_signature = serializers.SerializerMethodField()
    accelerated = serializers.BooleanField(help_text="answers with the model's ONNX form")
    created_at = serializers.DateTimeField()

    def get_has_model_signature(self, bento: Any) -> bool:
        """Tell whether ``model.sig`` can be fetched."""
        return bool(bento.model_signature)
