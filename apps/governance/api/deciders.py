"""The people around a release: who may still decide, who cannot, and who was asked by name."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance import actions
from apps.governance.models import Release
from apps.governance.queries import visible_rows
from apps.governance.queries.review_requests import review_request, reviewers
from apps.governance.rules import ReviewRequestState
from placet.kernel.api.views import PlacetView


class DeciderSerializer(serializers.Serializer[Any]):
    """Somebody who may still decide, and as what."""

    id = serializers.CharField()
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())


class AskedDeciderSerializer(DeciderSerializer):
    """Somebody whose decision a release waits for, and what they need before they can decide."""

    needs = serializers.CharField(
        help_text="What they need first, as far as you may know, or '': they can decide now"
    )


class BarredSerializer(serializers.Serializer[Any]):
    """Somebody whose role is missing, and why they cannot count."""

    id = serializers.CharField()
    name = serializers.CharField()
    why = serializers.CharField()


class AwaySerializer(serializers.Serializer[Any]):
    """Until when somebody is away, and who stands in for them: nobody is named who holds no role
    that decides there."""

    until = serializers.DateTimeField()
    deputy = serializers.CharField()
    name = serializers.CharField()
    passed_over = serializers.CharField(help_text="Why the deputy cannot stand in, or ''")


class ReviewerSerializer(serializers.Serializer[Any]):
    """Somebody who was asked by name to review a release. ``state`` is closed where the release did
    not wait for them, and cannot_decide where nobody does: they lost the role or access."""

    id = serializers.CharField(help_text="Of the review request")
    person = serializers.CharField()
    name = serializers.CharField()
    requested_by = serializers.CharField()
    requested_by_name = serializers.CharField()
    requested_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    state = serializers.CharField(help_text=", ".join(ReviewRequestState))
    away = AwaySerializer(allow_null=True, help_text="While they are away")
    verdict = serializers.CharField(help_text="What they decided, or ''")


class ReviewersSerializer(serializers.Serializer[Any]):
    """Everybody who was asked by name to review a release, the first asked first."""

    items = ReviewerSerializer(many=True)


class WantedReviewersSerializer(serializers.Serializer[Any]):
    """Who is to be asked by name to review a release, and until when."""

    reviewers = serializers.ListField(
        child=serializers.CharField(max_length=254), help_text="Ids, e-mail addresses or names"
    )
    review_days = serializers.IntegerField(
        required=False,
        help_text="Due in so many days, 0 for no due date; without it and review_due_at as the "
        "environment says",
    )
    review_due_at = serializers.DateTimeField(required=False, help_text="Due at this instant")


def _answer(release: Release, status: int = 200) -> Response:
    rows = ReviewerSerializer(reviewers(release), many=True).data
    return Response({"items": rows}, status=status)


class ReviewRequestList(PlacetView):
    """Who was asked by name to review a release."""

    @extend_schema(operation_id="review_requests_list", responses=ReviewersSerializer)
    def get(self, request: Request, release: str) -> Response:
        """List who was asked by name to review a release, the first asked first."""
        return _answer(visible_rows.release(release, self.actor))

    @extend_schema(
        operation_id="review_requests_create",
        request=WantedReviewersSerializer,
        responses={201: ReviewersSerializer},
    )
    def post(self, request: Request, release: str) -> Response:
        """Ask people by name to review a release, or ask them again; answers with all who are
        asked."""
        row = visible_rows.release(release, self.actor)
        data: Any = self.body(WantedReviewersSerializer)
        actions.request_review(row, **data, actor=self.actor)
        return _answer(row, 201)


class ReviewRequestRemove(PlacetView):
    """Taking back that somebody was asked."""

    @extend_schema(
        operation_id="review_requests_remove", request=None, responses=ReviewersSerializer
    )
    def post(self, request: Request, review: str) -> Response:
        """Take back that somebody was asked by name; answers with all who are asked still."""
        row = review_request(review, self.actor)
        actions.remove_review_request(row, actor=self.actor)
        return _answer(row.release)
