"""Threads."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.discussions import actions, queries
from apps.discussions.actions import Unmentioned
from apps.discussions.api.forms import TAKES_FILES, WithFiles, is_form, with_files
from apps.discussions.models import Thread
from apps.discussions.rules import ANCHOR_LIMIT, TEXT_LIMIT
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.bodies import FORM_TYPE
from placet.kernel.clock import rfc3339
from placet.kernel.filters import refuse_unknown

STATES = ["open", "resolved"]


class ThreadSerializer(serializers.Serializer[Any]):
    """One matter that people discuss about one thing."""

    id = serializers.CharField()
    kind = serializers.CharField(help_text="What it is about: release, version, policy, alert")
    subject = serializers.CharField(help_text="The id of that")
    title = serializers.CharField(help_text="What that was called when the thread was opened")
    number = serializers.IntegerField(help_text="Counts the threads about one thing")
    anchor = serializers.CharField(help_text="The part that is meant; empty: the thing as a whole")
    state = serializers.ChoiceField(choices=STATES)
    comments = serializers.IntegerField(help_text="How many there are, deleted ones too")
    opened_by = serializers.CharField()
    opened_by_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    said_at = serializers.DateTimeField(help_text="When the last comment was written")
    resolved_by = serializers.CharField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)


class UnmentionedSerializer(serializers.Serializer[Any]):
    """Something with an @ that mentions nobody."""

    handle = serializers.CharField()
    reason = serializers.CharField()


class OpenedThreadSerializer(ThreadSerializer):
    """A thread that was just opened: its first comment, and what in that mentions nobody."""

    comment = serializers.CharField()
    unmentioned = UnmentionedSerializer(many=True)


class NewThreadSerializer(serializers.Serializer[Any]):
    """A thread to be opened, with its first comment."""

    text = serializers.CharField(
        max_length=TEXT_LIMIT, help_text="Markdown; @name@example.com mentions somebody"
    )
    anchor = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=ANCHOR_LIMIT,
        help_text="A part of the thing, such as metrics/auc",
    )


class ThreadFormSerializer(NewThreadSerializer, WithFiles):
    """A thread to be opened, and the files that go with its first comment."""


class ThreadReadSerializer(serializers.Serializer[Any]):
    """How far you have read."""

    comment = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=40,
        help_text="The id of the last comment that you read; empty: all of them",
    )


class SeenSerializer(serializers.Serializer[Any]):
    """What you have read."""

    mentions = serializers.IntegerField(help_text="How many of yours no longer wait")


def thread_body(row: Thread) -> dict[str, Any]:
    """Return a thread, read with names, as JSON values."""
    return {
        "id": row.pk,
        "kind": row.kind,
        "subject": row.subject,
        "title": row.title,
        "number": row.number,
        "anchor": row.anchor,
        "state": "resolved" if row.is_resolved else "open",
        "comments": row.size,
        "opened_by": row.opened_by,
        "opened_by_name": getattr(row, "opener", row.opened_by),
        "created_at": rfc3339(row.created_at),
        "said_at": rfc3339(row.said_at),
        "resolved_by": row.resolved_by or None,
        "resolved_at": rfc3339(row.resolved_at) if row.resolved_at else None,
    }


def unmentioned_bodies(unmentioned: Sequence[Unmentioned]) -> list[dict[str, str]]:
    """Return what in a comment mentions nobody as JSON values."""
    return [{"handle": each.handle, "reason": each.sentence} for each in unmentioned]


def _bodies(rows: Sequence[Thread]) -> list[dict[str, Any]]:
    return [thread_body(row) for row in rows]


class ThreadList(ListView):
    """The threads about one thing."""

    filters = ("state",)
    parser_classes = TAKES_FILES

    @extend_schema(operation_id="threads_list", responses=page_of(ThreadSerializer))
    def get(self, request: Request, kind: str, subject: str) -> Response:
        """List the threads about a release, a version, a policy revision or an alert, the first one
        first; ``state`` narrows them to those that are open, or resolved."""
        refuse_unknown(request.query_params, words={"state": STATES})
        rows = queries.threads_of(queries.get_subject(kind, subject, self.actor), self.actor)
        if state := request.query_params.get("state"):
            rows = rows.filter(resolved_at__isnull=state == "open")
        return self.page(queries.with_names(rows), _bodies, order="number")

    @extend_schema(
        operation_id="threads_create",
        request={"application/json": NewThreadSerializer, FORM_TYPE: ThreadFormSerializer},
        responses={201: OpenedThreadSerializer},
    )
    def post(self, request: Request, kind: str, subject: str) -> Response:
        """Open a thread with its first comment; with files, as a form."""
        about = queries.get_subject(kind, subject, self.actor)
        form = ThreadFormSerializer if is_form(request) else NewThreadSerializer
        sent = with_files(self.body(form))
        said = actions.open_thread(about, **sent, actor=self.actor)
        thread = queries.get_thread(said.comment.thread_id, self.actor)
        more = {"comment": said.comment.pk, "unmentioned": unmentioned_bodies(said.unmentioned)}
        return Response(thread_body(thread) | more, status=201)


def _answer(row: Thread, view: PlacetView) -> Response:
    return Response(thread_body(queries.get_thread(row.pk, view.actor)))


class ThreadDetail(PlacetView):
    """One thread."""

    @extend_schema(operation_id="threads_read", responses=ThreadSerializer)
    def get(self, request: Request, thread: str) -> Response:
        """Read a thread; its comments are a list of their own."""
        return Response(thread_body(queries.get_thread(thread, self.actor)))


class ThreadResolve(PlacetView):
    """Settling a thread."""

    @extend_schema(operation_id="threads_resolve", request=None, responses=ThreadSerializer)
    def post(self, request: Request, thread: str) -> Response:
        """Say that the matter is settled; one that is stays as it is."""
        row = queries.get_thread(thread, self.actor)
        return _answer(actions.resolve_thread(row, actor=self.actor), self)


class ThreadReopen(PlacetView):
    """Taking a thread up again."""

    @extend_schema(operation_id="threads_reopen", request=None, responses=ThreadSerializer)
    def post(self, request: Request, thread: str) -> Response:
        """Say that the matter is not settled after all; one that is open stays as it is."""
        row = queries.get_thread(thread, self.actor)
        return _answer(actions.reopen_thread(row, actor=self.actor), self)


class ThreadSeen(PlacetView):
    """Having read a thread."""

    @extend_schema(
        operation_id="threads_seen", request=ThreadReadSerializer, responses=SeenSerializer
    )
    def post(self, request: Request, thread: str) -> Response:
        """Say that you have read it, as far as you did: your mentions there leave your inbox."""
        row = queries.get_thread(thread, self.actor)
        last = self.body(ThreadReadSerializer)["comment"]
        return Response({"mentions": actions.mark_seen(row, last=last, actor=self.actor)})
