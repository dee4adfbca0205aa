"""Passkeys that approvers sign with."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api import serializers as s
from apps.identity.api.views.lookups import one
from apps.identity.queries import visible_passkeys
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView


def challenged(question: Any) -> Response:
    """Answer with what a passkey is to sign; nobody may keep it."""
    headers = {"Cache-Control": "no-store"}
    return Response(s.ChallengeSerializer(question).data, status=201, headers=headers)


class PasskeyList(ListView):
    """Approvers' passkeys."""

    @extend_schema(operation_id="passkeys_list", responses=page_of(s.PasskeySerializer))
    def get(self, request: Request) -> Response:
        """List approvers' passkeys: all if you approve or audit access, else your own."""
        return self.page(visible_passkeys(self.actor), many(s.PasskeySerializer))

    @extend_schema(
        operation_id="passkeys_offer",
        request=s.NewPasskeySerializer,
        responses={201: s.PasskeySerializer},
    )
    def post(self, request: Request) -> Response:
        """Offer a passkey that you sign in with as one that you sign decisions with."""
        data: Any = self.body(s.NewPasskeySerializer)
        row = actions.offer_passkey(data.pop("authenticator"), **data, actor=self.actor)
        where = {"Location": f"/api/v1/passkeys/{row.pk}"}
        return Response(s.PasskeySerializer(row).data, status=201, headers=where)


class PasskeyOfferChallenge(PlacetView):
    """What a passkey signs to be offered."""

    @extend_schema(
        operation_id="passkeys_offer_challenge",
        request=s.OfferSerializer,
        responses={201: s.ChallengeSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for the challenge that shows that you hold the passkey."""
        number = self.body(s.OfferSerializer)["authenticator"]
        return challenged(actions.ask_to_offer(number, actor=self.actor))


class PasskeyDetail(PlacetView):
    """One passkey."""

    @extend_schema(operation_id="passkeys_read", responses=s.PasskeySerializer)
    def get(self, request: Request, passkey: str) -> Response:
        """Read an approver's passkey, with who vouches for it."""
        return Response(s.PasskeySerializer(one(visible_passkeys(self.actor), passkey)).data)


class PasskeyEnrolChallenge(PlacetView):
    """What an approver's passkey signs to vouch for another."""

    @extend_schema(
        operation_id="passkeys_enrol_challenge",
        request=s.ChosenPasskeySerializer,
        responses={201: s.ChallengeSerializer},
    )
    def post(self, request: Request, passkey: str) -> Response:
        """Ask for the challenge by which you vouch for somebody's passkey."""
        row = one(visible_passkeys(self.actor), passkey)
        chosen = self.body(s.ChosenPasskeySerializer).get("passkey", "")
        return challenged(actions.ask_to_enrol(row, chosen=chosen, actor=self.actor))


class PasskeyEnrol(PlacetView):
    """Vouching for a passkey."""

    @extend_schema(
        operation_id="passkeys_enrol",
        request=s.AssertedSerializer,
        responses=s.PasskeySerializer,
    )
    def post(self, request: Request, passkey: str) -> Response:
        """Vouch for another person's passkey with your own."""
        row = one(visible_passkeys(self.actor), passkey)
        data: Any = self.body(s.AssertedSerializer)
        row = actions.enrol_passkey(row, **data, actor=self.actor)
        return Response(s.PasskeySerializer(row).data)


class PasskeyWithdraw(PlacetView):
    """Ending a passkey."""

    @extend_schema(operation_id="passkeys_withdraw", request=None, responses=s.PasskeySerializer)
    def post(self, request: Request, passkey: str) -> Response:
        """Have a passkey sign nothing any more: your own, or as an access admin anybody's."""
        row = one(visible_passkeys(self.actor), passkey)
        return Response(s.PasskeySerializer(actions.withdraw_passkey(row, actor=self.actor)).data)
