"""What a gate answered."""

from typing import Any

from rest_framework import serializers


class GateSerializer(serializers.Serializer[Any]):
    """One gate's answer; ``state`` is passed, failed, waiting, error or skipped."""

    gate = serializers.CharField()
    title = serializers.CharField()
    passed = serializers.BooleanField()
    state = serializers.CharField(help_text="passed, failed, waiting, error or skipped")
    reason = serializers.CharField()
    facts = serializers.DictField()
