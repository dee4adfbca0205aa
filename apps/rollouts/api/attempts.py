"""What became of earlier attempts to release a version."""

from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.queries import visible_rows
from apps.rollouts.api.passing import PassedOverSerializer
from apps.rollouts.attempts import attempts_before, with_attempts
from placet.kernel.api.views import PlacetView


class AttemptDecisionSerializer(serializers.Serializer[Any]):
    """What somebody decided on an earlier release."""

    person = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    verdict = serializers.CharField()
    comment = serializers.CharField()
    at = serializers.DateTimeField()
    voided_reason = serializers.CharField()


class AttemptSerializer(serializers.Serializer[Any]):
    """An earlier release of the same version and what became of it, or a rollout of it that ended
    badly before it was tried again."""

    release = serializers.CharField()
    number = serializers.IntegerField()
    environment = serializers.CharField()
    endpoint = serializers.CharField()
    is_same_build = serializers.BooleanField(help_text="It has the same Bento")
    is_own = serializers.BooleanField(help_text="It is an earlier rollout of this very release")
    requested_by = serializers.CharField()
    requester_name = serializers.CharField()
    requested_at = serializers.DateTimeField()
    decisions = AttemptDecisionSerializer(many=True)
    rollout = serializers.CharField(help_text="Its id; '' where it never started")
    outcome = serializers.CharField(help_text="As the state of a release, stopped among them")
    by = serializers.CharField(help_text="Who ended it; '' where nobody is known to have")
    by_name = serializers.CharField()
    reason = serializers.CharField(help_text="Why; '' where it is not known, or not told to you")
    at = serializers.DateTimeField()
    first_live_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was live for the first time; null: it never was"
    )
    live_at = serializers.DateTimeField(
        allow_null=True, help_text="The same, or later where it was started or gone back to since"
    )
    ended_at = serializers.DateTimeField(allow_null=True)
    passed_over = PassedOverSerializer(
        many=True, help_text="Analyses that people signed and its rollout went past"
    )


class AttemptsSerializer(serializers.Serializer[Any]):
    """The attempts before a release."""

    worst = serializers.SerializerMethodField(
        help_text="The worst that became of them before this release was decided, in a sentence; "
        "'' where none ended badly"
    )
    items = AttemptSerializer(many=True, source="rows", help_text="The last one first")
    is_cut = serializers.BooleanField(help_text="There were more, which are not in the list")

    def get_worst(self, found: Any) -> str:
        """Return the sentence that the page of the release begins with."""
        return found.worst.sentence if found.worst else ""


class ReleaseAttempts(PlacetView):
    """What became of earlier releases of the same version."""

    @extend_schema(operation_id="releases_attempts", responses=AttemptsSerializer)
    def get(self, request: Request, release: str) -> Response:
        """Read the earlier releases of the same version, in any environment, and what became of
        them: the last 20."""
        row = visible_rows.release(release, self.actor, partial(with_attempts, actor=self.actor))
        return Response(AttemptsSerializer(attempts_before(row, self.actor)).data)
