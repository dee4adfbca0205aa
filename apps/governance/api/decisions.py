"""Decisions on releases."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance import actions
from apps.governance.queries import visible_rows
from apps.governance.queries.release_detail import decision_rows
from apps.governance.rules import ROLE_OF
from apps.identity.api.passkeys import AssertionSerializer, ChallengeSerializer, challenged
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet_verify.statements import VERDICTS

ROLES = [*ROLE_OF.values()]  # as which people decide


class DecisionSerializer(serializers.Serializer[Any]):
    """A person's signed statement on a release."""

    id = serializers.CharField()
    person = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(ROLES)
    verdict = serializers.ChoiceField(VERDICTS)
    comment = serializers.CharField()
    at = serializers.DateTimeField()
    passkey = serializers.BooleanField(help_text="The person signed it with a passkey")
    voided_reason = serializers.CharField()


class NewDecisionSerializer(serializers.Serializer[Any]):
    """A decision on exactly the request that ``statement_digest`` names."""

    verdict = serializers.ChoiceField(VERDICTS)
    statement_digest = serializers.CharField(max_length=71)
    comment = serializers.CharField(
        max_length=4000,
        allow_blank=True,
        required=False,
        help_text="Why; all but an approval need it",
    )
    replaces = serializers.CharField(
        max_length=40,
        allow_blank=True,
        required=False,
        help_text="The id of your own request for changes that this takes the place of",
    )


class AskedDecisionSerializer(NewDecisionSerializer):
    """A decision that a passkey is to sign: the newest of one's own unless it is named."""

    passkey = serializers.CharField(max_length=40, required=False)


class SignedDecisionSerializer(NewDecisionSerializer):
    """A decision, and what the passkey answered where it was asked."""

    assertion = AssertionSerializer(required=False)


class DecisionList(ListView):
    """The decisions on a release."""

    @extend_schema(operation_id="decisions_list", responses=page_of(DecisionSerializer))
    def get(self, request: Request, release: str) -> Response:
        """List the decisions on a release, the first one first, voided ones too."""
        rows = visible_rows.decisions(visible_rows.release(release, self.actor), self.actor)
        return self.page(
            rows,
            lambda page: list(DecisionSerializer(decision_rows(page), many=True).data),
            order="pk",
        )

    @extend_schema(
        operation_id="decisions_create",
        request=SignedDecisionSerializer,
        responses={201: DecisionSerializer},
    )
    def post(self, request: Request, release: str) -> Response:
        """Decide, in a browser session, on exactly what was shown; anything newer is 409."""
        row = visible_rows.release(release, self.actor)
        data: Any = self.body(SignedDecisionSerializer)
        decision = actions.decide(row, **data, actor=self.actor)
        return Response(DecisionSerializer(decision_rows([decision])[0]).data, status=201)


class DecisionChallenge(PlacetView):
    """What a passkey signs to decide."""

    @extend_schema(
        operation_id="decisions_challenge",
        request=AskedDecisionSerializer,
        responses={201: ChallengeSerializer},
    )
    def post(self, request: Request, release: str) -> Response:
        """Ask for the challenge that your passkey answers to decide like this."""
        row = visible_rows.release(release, self.actor)
        data: Any = self.body(AskedDecisionSerializer)
        return challenged(actions.ask_to_decide(row, **data, actor=self.actor))


class DecisionWithdraw(PlacetView):
    """Taking a request for changes back."""

    @extend_schema(operation_id="decisions_withdraw", request=None, responses=DecisionSerializer)
    def post(self, request: Request, decision: str) -> Response:
        """Withdraw, in a browser session, your own request for changes; it no longer holds the
        release."""
        row = visible_rows.decision(decision, self.actor)
        lifted = actions.withdraw_changes(row, actor=self.actor)
        return Response(DecisionSerializer(decision_rows([lifted])[0]).data)
