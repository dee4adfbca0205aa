"""Analyses that people signed and a rollout goes past: what would be, what waits for a second
person, and what was."""

from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.queries import visible_rows
from apps.rollouts import actions, queries
from apps.rollouts.api.rollouts import Control, described
from apps.rollouts.passed import passed_over_in, with_passed_over
from apps.rollouts.passing import read_passing, with_passing
from placet.kernel.api.views import PlacetView


class PassedAnalysisSerializer(serializers.Serializer[Any]):
    """An analysis that would not run to its end, or did not."""

    step = serializers.IntegerField(help_text="Its place in the plan, from 0")
    is_cut = serializers.BooleanField(help_text="It has begun, and is cut short")
    asks = serializers.ListField(
        child=serializers.CharField(), help_text="What it looks at, with the thresholds, in words"
    )
    timeout_seconds = serializers.IntegerField(help_text="How long it may take at most")
    outcome = serializers.CharField(help_text="Of its last look; '' where it has not looked")
    sentence = serializers.CharField(help_text="What that look said, of one that is under way")


class VerbPassesSerializer(serializers.Serializer[Any]):
    """What skipping the step, or promoting, would go past now."""

    analyses = PassedAnalysisSerializer(many=True)
    refusal = serializers.CharField(help_text="Why the policy forbids it; '' where it does not")


class AskedPassingSerializer(serializers.Serializer[Any]):
    """What waits for a second person."""

    verb = serializers.ChoiceField(choices=["skip", "promote"])
    digest = serializers.CharField(help_text="Of what is asked: whoever answers names it")
    asked_by = serializers.CharField()
    asked_by_name = serializers.CharField()
    reason = serializers.CharField()
    asked_at = serializers.DateTimeField()
    analyses = PassedAnalysisSerializer(many=True)


class PassedOverSerializer(serializers.Serializer[Any]):
    """That somebody went past analyses that people signed."""

    rollout = serializers.CharField()
    verb = serializers.ChoiceField(choices=["skip", "promote"])
    at = serializers.DateTimeField()
    by = serializers.CharField()
    by_name = serializers.CharField()
    second = serializers.CharField(help_text="Who confirmed it; '' where one person was enough")
    second_name = serializers.CharField()
    reason = serializers.CharField(help_text="'' where it is not known")
    answer = serializers.CharField(help_text="Why the second person confirmed it")
    analyses = PassedAnalysisSerializer(many=True)
    sentence = serializers.CharField(help_text="All of it in words")


class UnconfirmedPassingSerializer(serializers.Serializer[Any]):
    """What a second person was asked for and nobody confirmed."""

    verb = serializers.ChoiceField(choices=["skip", "promote"])
    step = serializers.IntegerField(help_text="At which it was asked for, from 0 (-1: before it)")
    asked_by = serializers.CharField()
    asked_by_name = serializers.CharField()
    reason = serializers.CharField()
    asked_at = serializers.DateTimeField()
    declined_by = serializers.CharField(help_text="'' where it lapsed: nobody answered in time")
    declined_by_name = serializers.CharField()
    answer = serializers.CharField(help_text="Why they declined it")
    declined_at = serializers.DateTimeField(allow_null=True)
    sentence = serializers.CharField(help_text="All of it in words")


class RolloutPassingSerializer(serializers.Serializer[Any]):
    """What may be gone past now, and what was."""

    step = serializers.IntegerField(
        allow_null=True, help_text="The present step, from 0: skip and promote name it"
    )
    policy = serializers.CharField(
        help_text="What the policy of the release says of it: allow, second_person or forbid"
    )
    skip = VerbPassesSerializer()
    promote = VerbPassesSerializer()
    asked = AskedPassingSerializer(allow_null=True)
    passed_over = PassedOverSerializer(many=True)
    unconfirmed = UnconfirmedPassingSerializer(
        many=True, help_text="What was declined or lapsed, the newest first, 5 at most"
    )


class ReleasePassedOverSerializer(serializers.Serializer[Any]):
    """What was gone past in the rollouts of a release."""

    passed_over = PassedOverSerializer(many=True, help_text="The first one first")


class AnswerPassingSerializer(serializers.Serializer[Any]):
    """What is answered, and why."""

    digest = serializers.CharField(
        max_length=71, help_text="Of what was shown; the rollout at another step is 409 step_moved"
    )
    reason = serializers.CharField(max_length=2000)


class WithdrawPassingSerializer(serializers.Serializer[Any]):
    """What is withdrawn."""

    digest = serializers.CharField(max_length=71)


class RolloutPassing(PlacetView):
    """What skipping and promoting go past."""

    @extend_schema(operation_id="rollouts_passing", responses=RolloutPassingSerializer)
    def get(self, request: Request, rollout: str) -> Response:
        """Read which analyses that people signed would be gone past by skipping the step or by
        promoting now, what waits for a second person, and what was gone past."""
        rows = with_passing(queries.visible_rollouts(self.actor))
        row = queries.found(rows, rollout)
        return Response(RolloutPassingSerializer(read_passing(row)).data)


class ReleasePassedOver(PlacetView):
    """What the rollouts of a release went past."""

    @extend_schema(operation_id="releases_passed_over", responses=ReleasePassedOverSerializer)
    def get(self, request: Request, release: str) -> Response:
        """Read which analyses that people signed were passed over, by whom, when and why."""
        row = visible_rows.release(release, self.actor, partial(with_passed_over, actor=self.actor))
        return Response(ReleasePassedOverSerializer({"passed_over": passed_over_in(row)}).data)


class PassingConfirm(Control):
    """Confirming."""

    @described("passing_confirm", AnswerPassingSerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Have done what somebody else asked a second person for."""
        return self.control(rollout, actions.confirm_passing, AnswerPassingSerializer)


class PassingDecline(Control):
    """Declining."""

    @described("passing_decline", AnswerPassingSerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Decline what somebody else asked a second person for: the rollout goes on as it was."""
        return self.control(rollout, actions.decline_passing, AnswerPassingSerializer)


class PassingWithdraw(Control):
    """Withdrawing."""

    @described("passing_withdraw", WithdrawPassingSerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Take back what one asked a second person for."""
        return self.control(rollout, actions.withdraw_passing, WithdrawPassingSerializer)
