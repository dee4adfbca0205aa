"""What is said in threads."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.discussions import actions, queries
from apps.discussions.actions import Said
from apps.discussions.api.forms import TAKES_FILES, WithFiles, is_form, with_files
from apps.discussions.api.threads import UnmentionedSerializer, unmentioned_bodies
from apps.discussions.errors import OthersComment
from apps.discussions.markdown import render
from apps.discussions.models import Comment
from apps.discussions.queries import CommentView, FileView
from apps.discussions.rules import TEXT_LIMIT
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag, require_match
from placet.kernel.bodies import FORM_TYPE
from placet.kernel.clock import rfc3339

STATES = ["written", "deleted", "erased"]
FILE_STATES = ["scanning", "ready", "removed"]


class CommentFileSerializer(serializers.Serializer[Any]):
    """A file that came with a comment."""

    id = serializers.CharField()
    name = serializers.CharField()
    size = serializers.IntegerField(help_text="In bytes")
    type = serializers.CharField(help_text="What its bytes are, whatever it is called")
    state = serializers.ChoiceField(
        choices=FILE_STATES, help_text="A file is read once it is ready; a removed one never"
    )
    scan = serializers.CharField(help_text="What the scanner says, in words")
    found = serializers.CharField(help_text="What it found; empty: nothing")


class ThreadCommentSerializer(serializers.Serializer[Any]):
    """What somebody said in a thread; ``deleted`` by its author, or ``erased`` with all of them."""

    id = serializers.CharField()
    thread = serializers.CharField()
    author = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    text = serializers.CharField(help_text="Markdown; empty where it was deleted or erased")
    html = serializers.CharField(help_text="The same, sanitised")
    mentioned = serializers.ListField(
        child=serializers.CharField(), help_text="The names of who is mentioned"
    )
    files = CommentFileSerializer(many=True)
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)


class WrittenCommentSerializer(ThreadCommentSerializer):
    """A comment that was just written, and what in it mentions nobody."""

    unmentioned = UnmentionedSerializer(many=True)


class CommentTextSerializer(serializers.Serializer[Any]):
    """What is to be said."""

    text = serializers.CharField(
        max_length=TEXT_LIMIT, help_text="Markdown; @name@example.com mentions somebody"
    )


class CommentFormSerializer(CommentTextSerializer, WithFiles):
    """What is to be said, and the files that go with it."""


def file_body(view: FileView) -> dict[str, Any]:
    """Return a file as JSON values."""
    row = view.file
    return {
        "id": row.pk,
        "name": view.name,
        "size": row.size,
        "type": row.type,
        "state": view.state,
        "scan": view.scan,
        "found": view.found,
    }


def comment_body(view: CommentView) -> dict[str, Any]:
    """Return a comment as JSON values."""
    row = view.comment
    return {
        "id": row.pk,
        "thread": row.thread_id,
        "author": row.author,
        "name": view.name,
        "state": view.state or "written",
        "text": view.text,
        "html": render(view.text),
        "mentioned": list(view.mentioned),
        "files": [file_body(one) for one in view.files],
        "created_at": rfc3339(row.created_at),
        "edited_at": rfc3339(row.edited_at) if row.edited_at else None,
    }


def _read(comment: Comment) -> dict[str, Any]:
    rows = queries.comments_of(comment.thread).filter(pk=comment.pk)
    return comment_body(queries.comment_views(rows)[0])


def _tag(row: Comment) -> str:
    return etag(row.pk, row.text_sealed, row.deleted_at)


def _written(said: Said, status: int) -> Response:
    body = _read(said.comment) | {"unmentioned": unmentioned_bodies(said.unmentioned)}
    return Response(body, status=status, headers={"ETag": _tag(said.comment)})


class CommentList(ListView):
    """The comments of a thread."""

    most = 50  # are laid out for one request
    parser_classes = TAKES_FILES

    @extend_schema(operation_id="thread_comments_list", responses=page_of(ThreadCommentSerializer))
    def get(self, request: Request, thread: str) -> Response:
        """List what was said in a thread, the first comment first."""
        rows = queries.comments_of(queries.get_thread(thread, self.actor))
        return self.page(
            rows,
            lambda page: [comment_body(view) for view in queries.comment_views(page)],
            order="pk",
        )

    @extend_schema(
        operation_id="thread_comments_create",
        request={"application/json": CommentTextSerializer, FORM_TYPE: CommentFormSerializer},
        responses={201: WrittenCommentSerializer},
    )
    def post(self, request: Request, thread: str) -> Response:
        """Reply in a thread that is open; with files, as a form."""
        row = queries.get_thread(thread, self.actor)
        form = CommentFormSerializer if is_form(request) else CommentTextSerializer
        said = with_files(self.body(form))
        return _written(actions.reply(row, **said, actor=self.actor), 201)


class CommentDetail(PlacetView):
    """One comment of a thread."""

    @extend_schema(operation_id="thread_comments_read", responses=ThreadCommentSerializer)
    def get(self, request: Request, thread: str, comment: str) -> Response:
        """Read a comment."""
        row = queries.get_comment(thread, comment, self.actor)
        return Response(_read(row), headers={"ETag": _tag(row)})

    @extend_schema(
        operation_id="thread_comments_edit",
        request=CommentTextSerializer,
        responses=WrittenCommentSerializer,
    )
    def patch(self, request: Request, thread: str, comment: str) -> Response:
        """Put another text in place of your own."""
        row = queries.get_comment(thread, comment, self.actor)
        text = self.body(CommentTextSerializer)["text"]
        if not queries.may_edit(row, self.actor):
            raise OthersComment
        require_match(request, _tag(row))
        return _written(actions.edit_comment(row, text=text, actor=self.actor), 200)

    @extend_schema(operation_id="thread_comments_delete", responses={204: None})
    def delete(self, request: Request, thread: str, comment: str) -> Response:
        """Delete your own text; that a comment stood there stays."""
        row = queries.get_comment(thread, comment, self.actor)
        if not queries.may_delete(row, self.actor):
            raise OthersComment
        require_match(request, _tag(row))
        actions.delete_comment(row, actor=self.actor)
        return Response(status=204)
