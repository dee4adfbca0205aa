"""Legal holds."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.assurance import actions
from apps.assurance.models import HoldScope, HoldState, LegalHold
from apps.assurance.queries.retention import get_hold, visible_holds
from apps.audit.queries import unseal_many
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView


class LegalHoldSerializer(serializers.Serializer[Any]):
    """A legal hold: no event that mentions ``subject`` is archived while it stands.

    ``subject`` is an id, or '' for every event.
    """

    id = serializers.CharField()
    name = serializers.CharField()
    scope = serializers.ChoiceField(HoldScope.choices)
    subject = serializers.CharField()
    state = serializers.ChoiceField(HoldState.choices)
    reason = serializers.CharField()
    placed_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    lifted_by = serializers.CharField()
    lift_reason = serializers.CharField()
    lifted_at = serializers.DateTimeField(allow_null=True)


class NewLegalHoldSerializer(serializers.Serializer[Any]):
    """A hold to be placed. ``subject`` is a project's slug, the e-mail address or id of a person,
    or the id of an object."""

    name = serializers.CharField(max_length=60)
    scope = serializers.ChoiceField(HoldScope.choices)
    subject = serializers.CharField(max_length=254, required=False, allow_blank=True)
    reason = serializers.CharField(max_length=2000)


class HoldLiftSerializer(serializers.Serializer[Any]):
    """Why a hold is lifted."""

    reason = serializers.CharField(max_length=2000)


def hold_bodies(rows: Any) -> list[Any]:
    """Return holds with their reasons (two queries)."""
    texts = unseal_many(s for row in rows for s in (row.reason_sealed, row.lift_reason_sealed))
    return [_body(row, texts) for row in rows]


def _body(row: LegalHold, texts: dict[str, str]) -> dict[str, Any]:
    body = {
        "id": row.pk,
        "name": row.name,
        "scope": row.scope,
        "subject": row.subject,
        "state": row.state,
        "reason": texts[row.reason_sealed],
        "placed_by": row.placed_by,
        "created_at": row.created_at,
        "lifted_by": row.lifted_by,
        "lift_reason": texts.get(row.lift_reason_sealed, ""),
        "lifted_at": row.lifted_at,
    }
    return dict(LegalHoldSerializer(body).data)


class LegalHoldList(ListView):
    """Legal holds."""

    @extend_schema(operation_id="legal_holds_list", responses=page_of(LegalHoldSerializer))
    def get(self, request: Request) -> Response:
        """List the legal holds, those that were lifted too, newest first."""
        return self.page(visible_holds(self.actor), hold_bodies)

    @extend_schema(
        operation_id="legal_holds_place",
        request=NewLegalHoldSerializer,
        responses={201: LegalHoldSerializer},
    )
    def post(self, request: Request) -> Response:
        """Place a legal hold: no event that mentions its subject is archived while it stands."""
        data: Any = self.body(NewLegalHoldSerializer)
        row = actions.place_hold(**data, actor=self.actor)
        return Response(hold_bodies([row])[0], 201)


class LegalHoldLift(PlacetView):
    """Lifting a legal hold."""

    @extend_schema(
        operation_id="legal_holds_lift",
        request=HoldLiftSerializer,
        responses=LegalHoldSerializer,
    )
    def post(self, request: Request, hold: str) -> Response:
        """Lift a legal hold that somebody else placed."""
        get_hold(hold, self.actor)
        data: Any = self.body(HoldLiftSerializer)
        row = actions.lift_hold(hold, **data, actor=self.actor)
        return Response(hold_bodies([row])[0])
