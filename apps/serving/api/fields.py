"""Fields that several nouns have."""

from typing import Any

from rest_framework import serializers

from apps.serving.rules import ISOLATION

NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


def isolation_field(**options: Any) -> serializers.ChoiceField:
    """Return the field of an isolation."""
    return serializers.ChoiceField(choices=[*ISOLATION, ""], **options)


class ToldRecallSerializer(serializers.Serializer[Any]):
    """Who recalled something that ran, when and why."""

    id = serializers.CharField()
    by = serializers.CharField()
    by_name = serializers.CharField()
    at = serializers.DateTimeField()
    reason = serializers.CharField()
    withdrawn_at = serializers.DateTimeField(
        allow_null=True, help_text="What it ended stays ended; null while it stands"
    )
