"""Comments on releases."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.discussions.actions import named_elsewhere
from apps.discussions.api.threads import UnmentionedSerializer, unmentioned_bodies
from apps.governance import actions
from apps.governance.queries import visible_rows
from apps.governance.queries.remarks import comment_rows
from placet.kernel.api.lists import ListView, page_of


class CommentSerializer(serializers.Serializer[Any]):
    """A remark on a release."""

    id = serializers.CharField()
    author = serializers.CharField()
    name = serializers.CharField()
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


class MadeCommentSerializer(CommentSerializer):
    """A remark that was just made, and what in it has an @, though a remark mentions nobody."""

    unmentioned = UnmentionedSerializer(many=True)


class NewCommentSerializer(serializers.Serializer[Any]):
    """A remark to be made."""

    text = serializers.CharField(max_length=4000)


class CommentList(ListView):
    """The comments on a release."""

    @extend_schema(operation_id="comments_list", responses=page_of(CommentSerializer))
    def get(self, request: Request, release: str) -> Response:
        """List the comments on a release, the first one first."""
        rows = visible_rows.comments(visible_rows.release(release, self.actor), self.actor)
        return self.page(
            rows,
            lambda page: list(CommentSerializer(comment_rows(page), many=True).data),
            order="pk",
        )

    @extend_schema(
        operation_id="comments_create",
        request=NewCommentSerializer,
        responses={201: MadeCommentSerializer},
    )
    def post(self, request: Request, release: str) -> Response:
        """Say something about a release; it mentions nobody, which a thread does."""
        row = visible_rows.release(release, self.actor)
        text = self.body(NewCommentSerializer)["text"]
        comment = actions.comment(row, text=text, actor=self.actor)
        body = CommentSerializer(comment_rows([comment])[0]).data
        named = unmentioned_bodies(named_elsewhere(text))
        return Response(body | {"unmentioned": named}, status=201)
