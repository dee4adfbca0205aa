"""Breaking the glass over the API: reading, and what people do in a browser session."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance import actions
from apps.governance.api.glass_serializers import (
    REVIEWS,
    STATES,
    AskedConfirmationSerializer,
    AskedGlassSerializer,
    BreakGlassSerializer,
    GlassReviewSerializer,
    SignedConfirmationSerializer,
    SignedGlassSerializer,
)
from apps.governance.models import BreakGlass
from apps.governance.queries import break_glass, visible_rows
from apps.identity.api.serializers import ChallengeSerializer
from apps.identity.api.views.passkeys import challenged
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput

CHOICES = {"state": STATES, "review": REVIEWS[1:]}
FILTERS = ("project", *CHOICES)


def rendered(rows: Any) -> list[Any]:
    """Return break-glasses as JSON values."""
    return list(BreakGlassSerializer(break_glass.glass_views(rows), many=True).data)


def answered(row: BreakGlass, actor: Actor, status: int = 200) -> Response:
    """Answer with a break-glass as it is now."""
    return Response(rendered([break_glass.glass(row.pk, actor)])[0], status)


class GlassList(ListView):
    """Break-glasses."""

    filters = FILTERS

    @extend_schema(
        operation_id="break_glass_list",
        parameters=[
            OpenApiParameter("project", description="Only of this project"),
            OpenApiParameter("state", enum=STATES, description="Only in this state"),
            OpenApiParameter("review", enum=REVIEWS[1:], description="Only with such a review"),
        ],
        responses=page_of(BreakGlassSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the break-glasses that you may see, newest first."""
        given = {name: request.query_params.get(name, "") for name in FILTERS}
        for name, known in CHOICES.items():
            if given[name] and given[name] not in known:
                raise InvalidInput(errors=[FieldError(name, f"One of {', '.join(known)}")])
        return self.page(break_glass.glasses(self.actor, **given), rendered)


class GlassDetail(PlacetView):
    """One break-glass."""

    @extend_schema(operation_id="break_glass_read", responses=BreakGlassSerializer)
    def get(self, request: Request, glass: str) -> Response:
        """Read a break-glass: who signed it, until when it lasts, how its review stands."""
        return answered(break_glass.glass(glass, self.actor), self.actor)


class GlassOpen(PlacetView):
    """Opening one."""

    @extend_schema(
        operation_id="break_glass_open",
        request=SignedGlassSerializer,
        responses={201: BreakGlassSerializer},
    )
    def post(self, request: Request, release: str) -> Response:
        """Open a break-glass for a release, in a browser session. Others must confirm it."""
        row = visible_rows.release(release, self.actor)
        data: Any = self.body(SignedGlassSerializer)
        return answered(actions.open_break_glass(row, **data, actor=self.actor), self.actor, 201)


class GlassOpenChallenge(PlacetView):
    """What a passkey signs to open one."""

    @extend_schema(
        operation_id="break_glass_open_challenge",
        request=AskedGlassSerializer,
        responses={201: ChallengeSerializer},
    )
    def post(self, request: Request, release: str) -> Response:
        """Ask for the challenge that your passkey answers to open a break-glass like this."""
        row = visible_rows.release(release, self.actor)
        data: Any = self.body(AskedGlassSerializer)
        return challenged(actions.ask_to_open(row, **data, actor=self.actor))


class GlassConfirm(PlacetView):
    """Confirming one."""

    @extend_schema(
        operation_id="break_glass_confirm",
        request=SignedConfirmationSerializer,
        responses=BreakGlassSerializer,
    )
    def post(self, request: Request, glass: str) -> Response:
        """Confirm, in a browser session, what somebody else opened; enough of you approve it."""
        row = break_glass.glass(glass, self.actor)
        data: Any = self.body(SignedConfirmationSerializer)
        return answered(actions.confirm_break_glass(row, **data, actor=self.actor), self.actor)


class GlassConfirmChallenge(PlacetView):
    """What a passkey signs to confirm one."""

    @extend_schema(
        operation_id="break_glass_confirm_challenge",
        request=AskedConfirmationSerializer,
        responses={201: ChallengeSerializer},
    )
    def post(self, request: Request, glass: str) -> Response:
        """Ask for the challenge that your passkey answers to confirm it like this."""
        row = break_glass.glass(glass, self.actor)
        data: Any = self.body(AskedConfirmationSerializer)
        return challenged(actions.ask_to_confirm(row, **data, actor=self.actor))


class GlassEnd(PlacetView):
    """Ending one."""

    @extend_schema(operation_id="break_glass_end", request=None, responses=BreakGlassSerializer)
    def post(self, request: Request, glass: str) -> Response:
        """End it before its time: what has not started by it does not start."""
        row = break_glass.glass(glass, self.actor)
        return answered(actions.end_break_glass(row, actor=self.actor), self.actor)


class GlassReview(PlacetView):
    """Its review."""

    @extend_schema(
        operation_id="break_glass_review",
        request=GlassReviewSerializer,
        responses=BreakGlassSerializer,
    )
    def post(self, request: Request, glass: str) -> Response:
        """Close the review of a break-glass that others took part in, with what you found."""
        row = break_glass.glass(glass, self.actor)
        data: Any = self.body(GlassReviewSerializer)
        return answered(actions.review_break_glass(row, **data, actor=self.actor), self.actor)
