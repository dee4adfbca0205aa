"""What the API of the console answers."""

from typing import Any

from rest_framework import serializers

KINDS = ("model", "version", "release", "endpoint", "project", "target", "person")


class HitSerializer(serializers.Serializer[Any]):
    """One thing that a search found, and the page that shows it."""

    kind = serializers.ChoiceField(choices=KINDS)
    id = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    url = serializers.CharField()


class SearchSerializer(serializers.Serializer[Any]):
    """What a search found."""

    items = HitSerializer(many=True)
