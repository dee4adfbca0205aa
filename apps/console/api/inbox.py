"""What waits for a person, of every kind."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.console.queries.inbox import MENTION, TASKS, tasks_of
from placet.kernel.api.views import PlacetView


class TaskSerializer(serializers.Serializer[Any]):
    """One thing that waits for you; ``url`` is the page on which you do it."""

    kind = serializers.ChoiceField(
        choices=[*TASKS, MENTION],
        help_text="An emergency release to co-sign or review, a release to decide on, one to "
        "change, one that your request for changes holds, one to start, a rollout that goes no "
        "further, a policy draft to publish, a discussion in which you were mentioned",
    )
    id = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)
    url = serializers.CharField()


class TaskListSerializer(serializers.Serializer[Any]):
    """What waits for you."""

    items = TaskSerializer(many=True)


class TaskList(PlacetView):
    """All that waits for whoever asks."""

    @extend_schema(operation_id="inbox_tasks", responses=TaskListSerializer)
    def get(self, request: Request) -> Response:
        """List all that waits for you, as the page Inbox does: emergency releases to co-sign or
        review, releases to decide on, to change or to start, those that your requests for changes
        hold, rollouts that a person has to let go on, policy drafts to publish, discussions that
        mention you. By a token: what waits for its owner, of what the token may see."""
        return Response({"items": TaskSerializer(tasks_of(self.actor), many=True).data})
