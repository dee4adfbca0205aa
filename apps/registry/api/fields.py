"""Fields that the registry's rules judge."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.registry.rules import TYPES

_COLUMN = {
    "type": "object",
    "required": ["name", "type"],
    "properties": {
        "name": {"type": "string"},
        "type": {"type": "string", "enum": list(TYPES)},
        "required": {"type": "boolean", "default": True},
        "shape": {"type": "array", "items": {"type": "integer"}},
    },
}
_COLUMNS = {"type": "array", "items": _COLUMN}


@extend_schema_field(
    {
        "type": "object",
        "required": ["inputs", "outputs"],
        "properties": {"inputs": _COLUMNS, "outputs": _COLUMNS},
    }
)
class SignatureField(serializers.JSONField):
    """A signature; judged by the registry's rules."""


@extend_schema_field({"type": "array", "items": {"type": "object"}})
class RowsField(serializers.JSONField):
    """Example rows."""


@extend_schema_field({"type": "array", "items": {}})
class OutputsField(serializers.JSONField):
    """Expected outputs, one per example row."""


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ObjectField(serializers.JSONField):
    """An object by name."""


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class TagsField(serializers.JSONField):
    """Texts by name."""


def requirements_field(**options: Any) -> serializers.ListField:
    """Return the field of requirement lines."""
    return serializers.ListField(child=serializers.CharField(), **options)


def variables_field(**options: Any) -> serializers.ListField:
    """Return the field of the names of variables; judged by the registry's rules."""
    return serializers.ListField(
        child=serializers.CharField(trim_whitespace=False, allow_blank=True),
        help_text="The names of variables that the version reads, and a release may set",
        **options,
    )
