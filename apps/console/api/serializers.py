"""What the API of the console answers."""

from typing import Any

from rest_framework import serializers

KINDS = ("model", "version", "release", "endpoint", "project", "target", "person")


class HitSerializer(serializers.Serializer[Any]):
    """One thing that was found; ``url`` is its page."""

    kind = serializers.ChoiceField(choices=KINDS)
    id = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    url = serializers.CharField()


class SearchSerializer(serializers.Serializer[Any]):
    """What was found."""

    items = HitSerializer(many=True)
