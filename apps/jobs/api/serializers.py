"""What the routes of jobs answer. Arguments and results are left out."""

from typing import Any

from rest_framework import serializers

from apps.jobs.models import JobState


class JobSerializer(serializers.Serializer[Any]):
    """Work in the background."""

    id = serializers.CharField()
    kind = serializers.CharField()
    queue = serializers.CharField()
    state = serializers.ChoiceField(choices=JobState.choices)
    project = serializers.CharField(allow_null=True)
    attempts = serializers.IntegerField()
    error = serializers.CharField()
    cancel_requested = serializers.BooleanField()
    due_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
