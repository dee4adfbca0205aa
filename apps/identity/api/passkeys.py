"""Passkeys that approvers sign with."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.lookups import one
from apps.identity.models import ApproverPasskey, PasskeyState
from apps.identity.queries import visible_passkeys
from apps.identity.trust.passkeys import public_half
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView


class AssertionSerializer(serializers.Serializer[Any]):
    """A passkey's answer (``AuthenticatorAssertionResponse``), each part in base64url."""

    credential = serializers.CharField(max_length=1400)
    authenticator_data = serializers.CharField(max_length=2000)
    client_data = serializers.CharField(max_length=4000)
    signature = serializers.CharField(max_length=2000)


class AssertedSerializer(serializers.Serializer[Any]):
    """What a passkey answered to the challenge that was asked for before."""

    assertion = AssertionSerializer()


class ChosenPasskeySerializer(serializers.Serializer[Any]):
    """Which of one's enrolled passkeys is to sign; the newest unless it is named."""

    passkey = serializers.CharField(max_length=40, required=False)


class ChallengeSerializer(serializers.Serializer[Any]):
    """What the browser asks the authenticator, for five minutes and once."""

    challenge = serializers.CharField(help_text="base64url; SHA-256 of the statement")
    rp_id = serializers.CharField()
    credential = serializers.CharField()
    timeout_ms = serializers.IntegerField()
    user_verification = serializers.ChoiceField(choices=["required"])


class OfferSerializer(serializers.Serializer[Any]):
    """One of the passkeys that one signs in with, by its number."""

    authenticator = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class NewPasskeySerializer(OfferSerializer):
    """A passkey that is offered to sign decisions with."""

    name = serializers.CharField(max_length=120)
    assertion = AssertionSerializer()


class PasskeySerializer(serializers.Serializer[Any]):
    """A passkey that a person signs decisions with, and who vouches for it.

    ``vouched_by`` is the person whose passkey enrolled it; ``null`` while it is offered, and for
    those that the root key enrolled.
    """

    id = serializers.CharField()
    person = serializers.CharField(source="person_id")
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=PasskeyState.values)
    fingerprint = serializers.SerializerMethodField()
    rp_id = serializers.CharField()
    vouched_by = serializers.CharField(source="vouched_by.person_id", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    enrolled_at = serializers.DateTimeField(allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)

    def get_fingerprint(self, row: ApproverPasskey) -> str:
        """SHA-256 of the public key: what two people compare."""
        return public_half(row).fingerprint


def challenged(question: Any) -> Response:
    """Answer with what a passkey is to sign; nobody may keep it."""
    headers = {"Cache-Control": "no-store"}
    return Response(ChallengeSerializer(question).data, status=201, headers=headers)


class PasskeyList(ListView):
    """Approvers' passkeys."""

    @extend_schema(operation_id="passkeys_list", responses=page_of(PasskeySerializer))
    def get(self, request: Request) -> Response:
        """List approvers' passkeys: all if you approve or audit access, else your own."""
        return self.page(visible_passkeys(self.actor), many(PasskeySerializer))

    @extend_schema(
        operation_id="passkeys_offer",
        request=NewPasskeySerializer,
        responses={201: PasskeySerializer},
    )
    def post(self, request: Request) -> Response:
        """Offer a passkey that you sign in with as one that you sign decisions with."""
        data: Any = self.body(NewPasskeySerializer)
        row = actions.offer_passkey(data.pop("authenticator"), **data, actor=self.actor)
        where = {"Location": f"/api/v1/passkeys/{row.pk}"}
        return Response(PasskeySerializer(row).data, status=201, headers=where)


class PasskeyOfferChallenge(PlacetView):
    """What a passkey signs to be offered."""

    @extend_schema(
        operation_id="passkeys_offer_challenge",
        request=OfferSerializer,
        responses={201: ChallengeSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for the challenge that shows that you hold the passkey."""
        number = self.body(OfferSerializer)["authenticator"]
        return challenged(actions.ask_to_offer(number, actor=self.actor))


class PasskeyDetail(PlacetView):
    """One passkey."""

    @extend_schema(operation_id="passkeys_read", responses=PasskeySerializer)
    def get(self, request: Request, passkey: str) -> Response:
        """Read an approver's passkey, with who vouches for it."""
        return Response(PasskeySerializer(one(visible_passkeys(self.actor), passkey)).data)


class PasskeyEnrolChallenge(PlacetView):
    """What an approver's passkey signs to vouch for another."""

    @extend_schema(
        operation_id="passkeys_enrol_challenge",
        request=ChosenPasskeySerializer,
        responses={201: ChallengeSerializer},
    )
    def post(self, request: Request, passkey: str) -> Response:
        """Ask for the challenge by which you vouch for somebody's passkey."""
        row = one(visible_passkeys(self.actor), passkey)
        chosen = self.body(ChosenPasskeySerializer).get("passkey", "")
        return challenged(actions.ask_to_enrol(row, chosen=chosen, actor=self.actor))


class PasskeyEnrol(PlacetView):
    """Vouching for a passkey."""

    @extend_schema(
        operation_id="passkeys_enrol",
        request=AssertedSerializer,
        responses=PasskeySerializer,
    )
    def post(self, request: Request, passkey: str) -> Response:
        """Vouch for another person's passkey with your own."""
        row = one(visible_passkeys(self.actor), passkey)
        data: Any = self.body(AssertedSerializer)
        row = actions.enrol_passkey(row, **data, actor=self.actor)
        return Response(PasskeySerializer(row).data)


class PasskeyWithdraw(PlacetView):
    """Ending a passkey."""

    @extend_schema(operation_id="passkeys_withdraw", request=None, responses=PasskeySerializer)
    def post(self, request: Request, passkey: str) -> Response:
        """Have a passkey sign nothing any more: your own, or as an access admin anybody's."""
        row = one(visible_passkeys(self.actor), passkey)
        return Response(PasskeySerializer(actions.withdraw_passkey(row, actor=self.actor)).data)
