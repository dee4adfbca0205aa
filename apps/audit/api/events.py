"""Events over REST, and their export."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.actions import log_export_of
from apps.audit.hooks import finder
from apps.audit.kind_groups import GROUPS
from apps.audit.models import Event
from apps.audit.queries import (
    EventFilter,
    event_detail,
    events_exportable,
    events_visible,
    inclusion,
    may_prove,
)
from apps.audit.queries.bodies import BLANK, is_event
from apps.audit.queries.events import WITHOUT_STATES, sentence_of
from apps.audit.queries.export import csv_lines, jsonl_lines, streamed
from apps.audit.queries.filtering import by_name
from apps.audit.queries.proofs import tlog_proofs
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput


class ActorSerializer(serializers.Serializer[Any]):
    """Who did it. ``accountable`` is the person who answers for a service account."""

    kind = serializers.CharField()
    id = serializers.CharField()
    accountable = serializers.CharField()
    token = serializers.CharField(allow_null=True)


class EventSerializer(serializers.Serializer[Any]):
    """One event of the log."""

    index = serializers.IntegerField()
    at = serializers.CharField()
    kind = serializers.CharField()
    sentence = serializers.CharField()
    actor = ActorSerializer()
    subject = serializers.CharField()
    project = serializers.CharField(allow_null=True)
    environment = serializers.CharField(allow_null=True)
    data = serializers.DictField()  # type: ignore[assignment]  # the member is called so
    leaf_hash = serializers.CharField()


class RowChangeSerializer(serializers.Serializer[Any]):
    """One row before and after an event."""

    key = serializers.CharField()
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    changed = serializers.ListField(child=serializers.CharField())


class EventDetailSerializer(EventSerializer):
    """An event with what it changed; ``body`` is the very text whose hash is the leaf."""

    body = serializers.CharField()
    changes = RowChangeSerializer(many=True)
    texts = serializers.DictField(child=serializers.CharField())


class InclusionSerializer(serializers.Serializer[Any]):
    """The proof that an event is in the log under a signed checkpoint (RFC 6962)."""

    index = serializers.IntegerField()
    size = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    hashes = serializers.ListField(child=serializers.CharField())
    note = serializers.CharField()


FILTERS = (
    *("kind", "group", "text", "actor", "person", "by_people", "subject", "object", "cause"),
    *("project", "environment", "since", "until"),
)
NAMING = ("object", "subject", "cause", "person", "group", "kind", "text")
MAX_NAME = 120  # characters of an export's file name, before the day
FILTER_PARAMETERS = [
    OpenApiParameter("kind", description="A kind, or its beginning up to a dot: release.requested"),
    OpenApiParameter("group", enum=list(GROUPS), description="Kinds that belong together"),
    OpenApiParameter(
        "text",
        description="Words of what events say, with states, outcomes, roles, and kinds of alerts "
        "and recalls in it; numbers are skipped. Not in names, reasons and comments",
    ),
    OpenApiParameter("actor", description="The id of who did it, or asked Placet to"),
    OpenApiParameter(
        "person",
        description="A part of the name of who did it, or asked Placet to; their id, or their "
        "e-mail address for who may know it",
    ),
    OpenApiParameter(
        "by_people", OpenApiTypes.BOOL, description="What people did, or asked Placet to"
    ),
    OpenApiParameter("subject", description="The id of an object that the event is about"),
    OpenApiParameter(
        "object",
        description="The name of an endpoint, a model, a version (name:3), an environment, each "
        "also as project/name, an endpoint also as project/environment/name, a project's slug, or "
        "the name of a target: events about it and about what belongs to it; or that of a person, "
        "a team or a service account: their roles and teams too",
    ),
    OpenApiParameter("cause", description="The id of a recall: all that came of it"),
    OpenApiParameter("project", description="A project's slug or id, or project/environment"),
    OpenApiParameter("environment", description="An environment's name, or project/environment"),
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="From this time on"),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="Before this time"),
]
FORMATS: Mapping[str, tuple[str, Callable[[Iterable[Event], Actor], Iterator[str]]]] = {
    "jsonl": ("application/x-ndjson", lambda events, reader: jsonl_lines(events)),
    "csv": ("text/csv; charset=utf-8", csv_lines),
}


def event_body(body: dict[str, Any], index: int, leaf_hash: str) -> dict[str, Any]:
    """Return an event's public members from its body."""
    return {
        "index": index,
        "at": body["at"],
        "kind": body["kind"],
        "sentence": sentence_of(body),
        "actor": body["actor"],
        "subject": body["subject"],
        "project": body["project"],
        "environment": body["environment"],
        "data": body["data"],
        "leaf_hash": leaf_hash,
    }


def filters(request: Request, actor: Actor) -> EventFilter:
    """Return the filters of the query string; raise 400 for what cannot be one."""
    text = {name: request.query_params.get(name, "") for name in FILTERS}
    for name, value in text.items():
        if "\x00" in value:
            raise InvalidInput(errors=[FieldError(name, "It holds a NUL character")])
    if text["by_people"] not in BOOLEANS:
        raise InvalidInput(errors=[FieldError("by_people", "true or false")])
    wanted = EventFilter(
        kind=text["kind"],
        group=text["group"],
        text=text["text"],
        actor=text["actor"],
        subject=text["subject"],
        cause=text["cause"],
        project=text["project"],
        environment=text["environment"],
        since=_time(text, "since"),
        until=_time(text, "until"),
        by_people=BOOLEANS[text["by_people"]],
    )
    return by_name(wanted, actor, person=text["person"], thing=text["object"])


BOOLEANS = {"": False, "false": False, "true": True}


def _time(text: dict[str, str], name: str) -> datetime | None:
    if not text[name]:
        return None
    try:
        at = datetime.fromisoformat(text[name])
        if at.tzinfo is not None:
            at.astimezone(UTC)  # a time at the ends of the calendar may have none in UTC
    except (ValueError, OverflowError):
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput(
            errors=[FieldError(name, "A time like 2026-11-25T09:58:00Z, with its offset")]
        )
    return at


class EventList(ListView):
    """What happened."""

    filters = FILTERS

    @extend_schema(
        operation_id="audit_events_list",
        parameters=FILTER_PARAMETERS,
        responses=page_of(EventSerializer, "A page of events."),
    )
    def get(self, request: Request) -> Response:
        """List the events you may read, the newest first."""
        events = events_visible(self.actor, filters(request, self.actor))
        return self.page(events.defer("body").annotate(said=WITHOUT_STATES), _items)


def _items(events: Sequence[Any]) -> list[Any]:
    return [
        event_body(e.said if is_event(e.said) else BLANK, e.index, bytes(e.leaf_hash).hex())
        for e in events
    ]


class EventDetail(PlacetView):
    """One event."""

    @extend_schema(operation_id="audit_events_read", responses=EventDetailSerializer)
    def get(self, request: Request, index: int) -> Response:
        """Read an event with what it changed."""
        detail = event_detail(index, self.actor)
        changes = [{**asdict(change), "changed": change.changed} for change in detail.changes]
        body = {"body": detail.text, "changes": changes, "texts": detail.texts}
        return Response({**event_body(detail.body, detail.index, detail.leaf_hash), **body})


class EventProof(PlacetView):
    """The proof that an event is in the log."""

    @extend_schema(operation_id="audit_events_proof", responses=InclusionSerializer)
    def get(self, request: Request, index: int) -> Response:
        """Prove an event you may read against the newest checkpoint; 409 until one covers it."""
        may_prove(index, self.actor)
        return Response(asdict(inclusion(index)))


class EventProofFile(PlacetView):
    """The proof that an event is in the log, as a file."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take any ``Accept``: there is one form, and it is not rendered by DRF."""
        return super().perform_content_negotiation(request, True)

    @extend_schema(
        operation_id="audit_events_tlog_proof",
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request, index: int) -> HttpResponse:
        """Download event and proof as a C2SP tlog-proof; 409 until a checkpoint covers it."""
        detail = event_detail(index, self.actor)
        text = tlog_proofs([(index, detail.text)])[index]
        response = HttpResponse(text, content_type="text/plain; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{index}.tlog-proof"'
        return response


class Export(PlacetView):
    """A copy of the events."""

    query_params = (*FILTERS, "format")

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take any ``Accept``: the query says what is wanted, and it is not rendered by DRF."""
        return super().perform_content_negotiation(request, True)

    @extend_schema(
        operation_id="audit_export",
        parameters=[*FILTER_PARAMETERS, OpenApiParameter("format", enum=sorted(FORMATS))],
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Stream the events you may export, oldest first. The export is itself an event."""
        form = request.query_params.get("format", "jsonl")
        if form not in FORMATS:
            raise InvalidInput(errors=[FieldError("format", "jsonl or csv")])
        wanted = filters(request, self.actor)
        events = events_exportable(self.actor, wanted)
        last = events.order_by("-index").values_list("index", flat=True).first()
        events = events.filter(index__lte=-1 if last is None else last)
        log_export_of(self.actor, events, form=form)
        media, lines = FORMATS[form]
        response = StreamingHttpResponse(lines(streamed(events), self.actor), content_type=media)
        name = file_name(request, wanted, self.actor)
        response["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
        return response


def file_name(request: Request, wanted: EventFilter, actor: Actor) -> str:
    """Return what an export is called: by its project, by what else it was narrowed to, and by the
    day (UTC)."""
    asked = request.query_params
    project = finder().project(wanted.project, actor) if wanted.project else ""
    others = (asked.get(name, "") for name in NAMING)
    parts = ("placet-audit", project, wanted.environment, *others)
    plain = (re.sub(r"[^a-z0-9_]+", "-", part.lower()).strip("-") for part in parts)
    return f"{'-'.join(filter(None, plain))[:MAX_NAME].rstrip('-')}-{now():%Y-%m-%d}"
