"""Streams of the audit log."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.lookups import named_project
from apps.identity.api.matching import match_for
from apps.integrations import actions, queries
from apps.integrations.models import Delivery, Stream, StreamKind
from apps.integrations.queries import StreamLag
from apps.integrations.rules import MAX_ALERT, MAX_URL, MIN_ALERT, StreamTerms
from apps.integrations.standing import StreamStanding, stream_standing
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import rfc3339
from placet.kernel.problems import NeedsPermission

STATES = [one.value for one in StreamStanding]
FILE = (
    "A file in the folder of stream secrets (PLACET_STREAMS_DIR), of a project's stream in the"
    " folder there that has the project's slug, by its bare name"
)


class NewStreamSerializer(serializers.Serializer[Any]):
    """Where the log is to be sent."""

    name = serializers.CharField(max_length=60, help_text="Small letters, digits and hyphens")
    kind = serializers.ChoiceField(choices=StreamKind.values)
    url = serializers.CharField(
        max_length=MAX_URL, help_text="https://… or tls://host:port; http, tcp to this machine only"
    )
    token_file = serializers.CharField(
        default="", allow_blank=True, max_length=100, help_text=f"{FILE}: sent as Authorization"
    )
    ca_file = serializers.CharField(
        default="", allow_blank=True, max_length=100, help_text=f"{FILE}: who vouches for the host"
    )
    cert_file = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=100,
        help_text=f"{FILE}: our certificate with its key",
    )
    project = serializers.CharField(
        allow_null=True, default=None, help_text="A slug; null: the whole instance"
    )
    start = serializers.IntegerField(
        allow_null=True,
        default=None,
        min_value=0,
        help_text="The index of the first event to send; null: the next that comes",
    )
    alert_after_seconds = serializers.IntegerField(
        default=900,
        min_value=MIN_ALERT,
        max_value=MAX_ALERT,
        help_text="An alert opens when the oldest event not sent yet is older",
    )


class RewindSerializer(serializers.Serializer[Any]):
    """Where to go back to."""

    index = serializers.IntegerField(min_value=0, help_text="The first event to send again")


class DeliverySerializer(serializers.Serializer[Any]):
    """One attempt to send a batch, or a test; ``detail`` says why it was not accepted."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    test = serializers.BooleanField()
    first = serializers.IntegerField(help_text="The index of its first event")
    events = serializers.IntegerField()
    bytes = serializers.IntegerField()
    seconds = serializers.FloatField()
    accepted = serializers.BooleanField()
    detail = serializers.CharField(help_text="Why it was not accepted")


class StreamSerializer(serializers.Serializer[Any]):
    """A stream of the log and how far it has come; without a project it is the instance's."""

    id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=StreamKind.values)
    url = serializers.CharField()
    token_file = serializers.CharField()
    ca_file = serializers.CharField()
    cert_file = serializers.CharField()
    project = serializers.CharField(allow_null=True, help_text="null: the whole instance")
    alert_after_seconds = serializers.IntegerField()
    state = serializers.ChoiceField(
        choices=STATES,
        help_text="retrying: the last attempt failed, and it is tried again at retry_at",
    )
    cursor = serializers.IntegerField(help_text="The index of the next event")
    size = serializers.IntegerField(help_text="How many events the log has")
    lag_events = serializers.IntegerField()
    lag_seconds = serializers.FloatField(help_text="The age of the oldest event not sent yet")
    failures = serializers.IntegerField(help_text="In a row")
    error = serializers.CharField(help_text="The last one in words; empty when it is over")
    retry_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    started_by = serializers.CharField(help_text="Empty: nobody let it begin yet")
    created_at = serializers.DateTimeField()


class StreamDetailSerializer(StreamSerializer):
    """A stream with its last attempts, newest first."""

    deliveries = DeliverySerializer(many=True)


def stream_body(found: StreamLag) -> dict[str, Any]:
    """Return a stream as JSON values."""
    row = found.stream
    return {
        "id": row.pk,
        "name": row.name,
        "kind": row.kind,
        "url": row.url,
        "token_file": row.token_file,
        "ca_file": row.ca_file,
        "cert_file": row.cert_file,
        "project": row.project.slug if row.project else None,
        "alert_after_seconds": row.alert_after_seconds,
        "state": stream_standing(row),
        "cursor": row.cursor,
        "size": found.size,
        "lag_events": found.events,
        "lag_seconds": round(found.seconds, 3),
        "failures": row.failures,
        "error": row.error,
        "retry_at": rfc3339(row.retry_at) if row.retry_at else None,
        "delivered_at": rfc3339(row.delivered_at) if row.delivered_at else None,
        "created_by": row.created_by,
        "started_by": row.started_by,
        "created_at": rfc3339(row.created_at),
    }


def delivery_body(row: Delivery) -> dict[str, Any]:
    """Return an attempt as JSON values."""
    return {
        "id": row.pk,
        "at": rfc3339(row.at),
        "test": row.test,
        "first": row.first,
        "events": row.events,
        "bytes": row.bytes,
        "seconds": row.seconds,
        "accepted": row.accepted,
        "detail": row.detail,
    }


def _answer(row: Stream, status: int = 200) -> Response:
    (lag,) = queries.standings([row])
    last = [delivery_body(delivery) for delivery in queries.last_deliveries(row)]
    body = {**stream_body(lag), "deliveries": last}
    return Response(body, status=status, headers={"ETag": etag(row.pk, row.generation)})


class StreamList(ListView):
    """Where the log is sent."""

    @extend_schema(
        operation_id="streams_list", responses=page_of(StreamSerializer, "One page of streams.")
    )
    def get(self, request: Request) -> Response:
        """List the streams that you see, newest first."""
        rows = queries.visible_streams(self.actor)
        return self.page(rows, lambda page: [stream_body(f) for f in queries.standings(page)])

    @extend_schema(
        operation_id="streams_add",
        request=NewStreamSerializer,
        responses={201: StreamDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a stream. It begins when somebody with ``audit.export`` resumes it, at once when you
        have that yourself."""
        if not self.actor.can_somewhere("stream.manage"):
            raise NeedsPermission(self.actor, "stream.manage", scope=None)
        data: Any = dict(self.body(NewStreamSerializer))
        project = named_project(data.pop("project"), self.actor)
        name, start = data.pop("name"), data.pop("start")
        row = actions.add_stream(
            name=name, start=start, project=project, terms=StreamTerms(**data), actor=self.actor
        )
        return _answer(row, 201)


class StreamDetail(PlacetView):
    """One stream."""

    @extend_schema(operation_id="streams_read", responses=StreamDetailSerializer)
    def get(self, request: Request, stream: str) -> Response:
        """Read a stream, how far it is, and what came of its last batches."""
        return _answer(queries.get_stream(stream, self.actor))

    @extend_schema(operation_id="streams_remove", responses={204: None})
    def delete(self, request: Request, stream: str) -> Response:
        """Send nothing more, for good. Needs If-Match."""
        row = queries.get_stream(stream, self.actor)
        tag = etag(row.pk, row.generation)
        match_for("stream.manage", row, tag, asked=self, see="stream.view")
        actions.remove_stream(row, if_generation=row.generation, actor=self.actor)
        return Response(status=204)


class StreamPause(PlacetView):
    """Pausing a stream."""

    @extend_schema(operation_id="streams_pause", request=None, responses=StreamDetailSerializer)
    def post(self, request: Request, stream: str) -> Response:
        """Send nothing more until somebody resumes."""
        row = queries.get_stream(stream, self.actor)
        return _answer(actions.pause_stream(row, actor=self.actor))


class StreamResume(PlacetView):
    """Letting a stream begin or go on."""

    @extend_schema(operation_id="streams_resume", request=None, responses=StreamDetailSerializer)
    def post(self, request: Request, stream: str) -> Response:
        """Let a stream begin or go on where it stopped, or try again now. Needs ``audit.export``
        where it belongs."""
        row = queries.get_stream(stream, self.actor)
        return _answer(actions.resume_stream(row, actor=self.actor))


class StreamRewind(PlacetView):
    """Sending again what was sent."""

    @extend_schema(
        operation_id="streams_rewind",
        request=RewindSerializer,
        responses=StreamDetailSerializer,
    )
    def post(self, request: Request, stream: str) -> Response:
        """Send everything from an index on once more."""
        row = queries.get_stream(stream, self.actor)
        index = self.body(RewindSerializer)["index"]
        return _answer(actions.rewind_stream(row, index=index, actor=self.actor))


class StreamTest(PlacetView):
    """Trying whether a stream gets through."""

    @extend_schema(
        operation_id="streams_test", request=None, responses={202: StreamDetailSerializer}
    )
    def post(self, request: Request, stream: str) -> Response:
        """Have something sent that holds nothing of the log; what comes of it stands in
        ``deliveries`` within seconds."""
        row = queries.get_stream(stream, self.actor)
        return _answer(actions.ask_for_test(row, actor=self.actor), 202)
