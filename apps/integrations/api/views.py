"""Streams of the audit log."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.views.lookups import named_project
from apps.integrations import actions, queries
from apps.integrations.api import serializers as s
from apps.integrations.models import Stream
from apps.integrations.rules import Terms
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag, require_match
from placet.kernel.problems import Forbidden


def _answer(row: Stream, status: int = 200) -> Response:
    (found,) = queries.standings([row])
    last = [s.delivery_body(delivery) for delivery in queries.last_deliveries(row)]
    body = {**s.stream_body(found), "deliveries": last}
    return Response(body, status=status, headers={"ETag": etag(row.pk, row.generation)})


class StreamList(ListView):
    """Where the log is sent."""

    @extend_schema(
        operation_id="streams_list", responses=page_of(s.StreamSerializer, "One page of streams.")
    )
    def get(self, request: Request) -> Response:
        """List the streams that you see, newest first."""
        rows = queries.visible_streams(self.actor)
        return self.page(rows, lambda page: [s.stream_body(f) for f in queries.standings(page)])

    @extend_schema(
        operation_id="streams_add",
        request=s.NewStreamSerializer,
        responses={201: s.StreamDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a stream. It begins when somebody with ``audit.export`` resumes it, at once when you
        have that yourself."""
        if not self.actor.can_somewhere("stream.manage"):
            raise Forbidden("This needs the permission stream.manage")
        data: Any = dict(self.body(s.NewStreamSerializer))
        project = named_project(data.pop("project"), self.actor)
        name, start = data.pop("name"), data.pop("start")
        row = actions.add_stream(
            name=name, start=start, project=project, terms=Terms(**data), actor=self.actor
        )
        return _answer(row, 201)


class StreamDetail(PlacetView):
    """One stream."""

    @extend_schema(operation_id="streams_read", responses=s.StreamDetailSerializer)
    def get(self, request: Request, stream: str) -> Response:
        """Read a stream, how far it is, and what came of its last batches."""
        return _answer(queries.get_stream(stream, self.actor))

    @extend_schema(operation_id="streams_remove", responses={204: None})
    def delete(self, request: Request, stream: str) -> Response:
        """Send nothing more, for good. Needs If-Match."""
        row = queries.get_stream(stream, self.actor)
        require_match(request, etag(row.pk, row.generation))
        actions.remove_stream(row, if_generation=row.generation, actor=self.actor)
        return Response(status=204)


class StreamPause(PlacetView):
    """Pausing a stream."""

    @extend_schema(operation_id="streams_pause", request=None, responses=s.StreamDetailSerializer)
    def post(self, request: Request, stream: str) -> Response:
        """Send nothing more until somebody resumes."""
        found = queries.get_stream(stream, self.actor)
        return _answer(actions.pause_stream(found, actor=self.actor))


class StreamResume(PlacetView):
    """Letting a stream begin or go on."""

    @extend_schema(operation_id="streams_resume", request=None, responses=s.StreamDetailSerializer)
    def post(self, request: Request, stream: str) -> Response:
        """Let a stream begin or go on where it stopped, or try again now. Needs ``audit.export``
        where it belongs."""
        found = queries.get_stream(stream, self.actor)
        return _answer(actions.resume_stream(found, actor=self.actor))


class StreamRewind(PlacetView):
    """Sending again what was sent."""

    @extend_schema(
        operation_id="streams_rewind",
        request=s.RewindSerializer,
        responses=s.StreamDetailSerializer,
    )
    def post(self, request: Request, stream: str) -> Response:
        """Send everything from an index on once more."""
        found = queries.get_stream(stream, self.actor)
        index = self.body(s.RewindSerializer)["index"]
        return _answer(actions.rewind_stream(found, index=index, actor=self.actor))


class StreamTest(PlacetView):
    """Trying whether a stream gets through."""

    @extend_schema(
        operation_id="streams_test", request=None, responses={202: s.StreamDetailSerializer}
    )
    def post(self, request: Request, stream: str) -> Response:
        """Have something sent that holds nothing of the log; what comes of it stands in
        ``deliveries`` within seconds."""
        found = queries.get_stream(stream, self.actor)
        return _answer(actions.ask_for_test(found, actor=self.actor), 202)
