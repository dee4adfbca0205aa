"""Breaking the glass over the API: reading, and what people do in a browser session."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance import actions
from apps.governance.models import BreakGlass
from apps.governance.queries import break_glass, visible_rows
from apps.governance.queries.named_filters import named
from apps.governance.rules import BreakGlassStanding, BreakGlassState, ReviewState
from apps.identity.api.passkeys import AssertionSerializer, ChallengeSerializer, challenged
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.filters import refuse_unknown
from placet.kernel.states import values_of

STATES = values_of(BreakGlassState)
STANDINGS = values_of(BreakGlassStanding)
REVIEWS = values_of(ReviewState)
CHOICES = {"state": STATES, "review": REVIEWS[1:]}
FILTERS = ("project", *CHOICES)


class SignerSerializer(serializers.Serializer[Any]):
    """One person who opened a break-glass (responder) or confirmed it (approver)."""

    person = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    comment = serializers.CharField()
    passkey = serializers.BooleanField(help_text="The person signed it with a passkey")
    at = serializers.DateTimeField()
    void = serializers.BooleanField(help_text="A recall took it back: it does not count")


class BreakGlassSerializer(serializers.Serializer[Any]):
    """An exception for one release. ``running``: what was started by it serves or is rolling out,
    whatever its review found: not while its endpoint is stopped.

    ``state`` is how far it went: ``opened`` awaits its co-signatures, ``confirmed`` has them and
    has not ended, used or not, ``ended`` had them and waits for its review, ``reviewed`` has that
    too, and ``lapsed`` ended, however it did, before it had them. ``standing`` is how pages and the
    command line say it, and ``how_ended`` who or what ended it."""

    id = serializers.CharField(source="glass.pk")
    project = serializers.CharField(source="glass.project.slug")
    release = serializers.CharField(source="glass.release_id")
    release_number = serializers.IntegerField(source="glass.release.number")
    release_state = serializers.CharField(source="glass.release.shown_state")
    environment = serializers.CharField(source="glass.release.environment.name")
    endpoint_name = serializers.CharField(source="glass.release.endpoint.name")
    state = serializers.ChoiceField(STATES, source="glass.state")
    standing = serializers.ChoiceField(
        STANDINGS,
        help_text="How it stands beside its review: used, it has started its release; lapsed, its"
        " time ran out before it had its co-signatures",
    )
    how_ended = serializers.CharField(
        help_text="Who or what ended it: a person by hand, another policy, a recall of who signed,"
        " what became of its release, its time; empty while it is open"
    )
    reason = serializers.CharField()
    people = serializers.IntegerField(source="glass.people")
    signers = SignerSerializer(many=True)
    statement_digest = serializers.CharField(source="glass.statement_digest")
    opening_digest = serializers.CharField(source="glass.opening_digest")
    opened_at = serializers.DateTimeField(source="glass.opened_at")
    until = serializers.DateTimeField(source="glass.until")
    confirmed_at = serializers.DateTimeField(source="glass.confirmed_at", allow_null=True)
    used_at = serializers.DateTimeField(source="glass.used_at", allow_null=True)
    ended_at = serializers.DateTimeField(source="glass.ended_at", allow_null=True)
    running = serializers.BooleanField()
    review = serializers.ChoiceField(REVIEWS)
    review_due_at = serializers.DateTimeField(source="glass.review_due_at", allow_null=True)
    reviewed_at = serializers.DateTimeField(source="glass.reviewed_at", allow_null=True)
    reviewer = serializers.CharField()
    finding = serializers.CharField(source="glass.finding")
    findings = serializers.CharField()


class NewGlassSerializer(serializers.Serializer[Any]):
    """A break-glass to be opened for exactly the request that ``statement_digest`` names."""

    statement_digest = serializers.CharField(max_length=71)
    reason = serializers.CharField(max_length=2000)
    hours = serializers.IntegerField(
        min_value=1, max_value=72, required=False, help_text="As long as the policy allows"
    )


class AskedGlassSerializer(NewGlassSerializer):
    """One that a passkey is to sign: the newest of one's own unless it is named."""

    passkey = serializers.CharField(max_length=40, required=False)


class SignedGlassSerializer(NewGlassSerializer):
    """One, and what the passkey answered where it was asked."""

    assertion = AssertionSerializer(required=False)


class ConfirmationSerializer(serializers.Serializer[Any]):
    """A confirmation of exactly what ``opening_digest`` names."""

    opening_digest = serializers.CharField(max_length=71)
    comment = serializers.CharField(max_length=2000, allow_blank=True, required=False)


class AskedConfirmationSerializer(ConfirmationSerializer):
    """A confirmation that a passkey is to sign."""

    passkey = serializers.CharField(max_length=40, required=False)


class SignedConfirmationSerializer(ConfirmationSerializer):
    """A confirmation, and what the passkey answered where it was asked."""

    assertion = AssertionSerializer(required=False)


class GlassReviewSerializer(serializers.Serializer[Any]):
    """What a review found."""

    finding = serializers.ChoiceField(["justified", "not_justified"])
    findings = serializers.CharField(max_length=4000)


def rendered(rows: Any) -> list[Any]:
    """Return break-glasses as JSON values."""
    return list(BreakGlassSerializer(break_glass.break_glass_views(rows), many=True).data)


def answered(row: BreakGlass, actor: Actor, status: int = 200) -> Response:
    """Answer with a break-glass as it is now."""
    return Response(rendered([break_glass.get_break_glass(row.pk, actor)])[0], status)


class BreakGlassList(ListView):
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
        filters = {name: request.query_params.get(name, "") for name in FILTERS}
        refuse_unknown(filters, words=CHOICES, called=named(filters, self.actor, "release.view"))
        return self.page(break_glass.break_glasses(self.actor, **filters), rendered)


class BreakGlassDetail(PlacetView):
    """One break-glass."""

    @extend_schema(operation_id="break_glass_read", responses=BreakGlassSerializer)
    def get(self, request: Request, glass: str) -> Response:
        """Read a break-glass: who signed it, until when it lasts, how its review stands."""
        return answered(break_glass.get_break_glass(glass, self.actor), self.actor)


class BreakGlassOpen(PlacetView):
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


class BreakGlassOpenChallenge(PlacetView):
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


class BreakGlassConfirm(PlacetView):
    """Confirming one."""

    @extend_schema(
        operation_id="break_glass_confirm",
        request=SignedConfirmationSerializer,
        responses=BreakGlassSerializer,
    )
    def post(self, request: Request, glass: str) -> Response:
        """Confirm, in a browser session, what somebody else opened; enough of you approve it."""
        row = break_glass.get_break_glass(glass, self.actor)
        data: Any = self.body(SignedConfirmationSerializer)
        return answered(actions.confirm_break_glass(row, **data, actor=self.actor), self.actor)


class BreakGlassConfirmChallenge(PlacetView):
    """What a passkey signs to confirm one."""

    @extend_schema(
        operation_id="break_glass_confirm_challenge",
        request=AskedConfirmationSerializer,
        responses={201: ChallengeSerializer},
    )
    def post(self, request: Request, glass: str) -> Response:
        """Ask for the challenge that your passkey answers to confirm it like this."""
        row = break_glass.get_break_glass(glass, self.actor)
        data: Any = self.body(AskedConfirmationSerializer)
        return challenged(actions.ask_to_confirm(row, **data, actor=self.actor))


class BreakGlassEnd(PlacetView):
    """Ending one."""

    @extend_schema(operation_id="break_glass_end", request=None, responses=BreakGlassSerializer)
    def post(self, request: Request, glass: str) -> Response:
        """End it before its time: what has not started by it does not start."""
        row = break_glass.get_break_glass(glass, self.actor)
        return answered(actions.end_break_glass(row, actor=self.actor), self.actor)


class BreakGlassReview(PlacetView):
    """Its review."""

    @extend_schema(
        operation_id="break_glass_review",
        request=GlassReviewSerializer,
        responses=BreakGlassSerializer,
    )
    def post(self, request: Request, glass: str) -> Response:
        """Close the review of a break-glass that others took part in, with what you found."""
        row = break_glass.get_break_glass(glass, self.actor)
        data: Any = self.body(GlassReviewSerializer)
        return answered(actions.review_break_glass(row, **data, actor=self.actor), self.actor)
