"""Events over REST, and their export."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.actions import log_export
from apps.audit.api import serializers as s
from apps.audit.api.views.parameters import FILTER_PARAMETERS, FILTERS, filters
from apps.audit.models import Event
from apps.audit.queries import event_detail, events_exportable, events_visible, inclusion, may_prove
from apps.audit.queries.export import csv_lines, jsonl_lines, streamed
from apps.audit.queries.proofs import tlog_proofs
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput

FORMATS = {
    "jsonl": ("application/x-ndjson", jsonl_lines),
    "csv": ("text/csv; charset=utf-8", csv_lines),
}


class EventList(ListView):
    """What happened."""

    filters = FILTERS

    @extend_schema(
        operation_id="audit_events_list",
        parameters=FILTER_PARAMETERS,
        responses=page_of(s.EventSerializer, "A page of events."),
    )
    def get(self, request: Request) -> Response:
        """List the events you may read, the newest first."""
        return self.page(events_visible(self.actor, filters(request)), _items)


def _items(events: Sequence[Event]) -> list[Any]:
    return [s.as_json(json.loads(e.body), e.index, bytes(e.leaf_hash).hex()) for e in events]


class EventDetail(PlacetView):
    """One event."""

    @extend_schema(operation_id="audit_events_read", responses=s.EventDetailSerializer)
    def get(self, request: Request, index: int) -> Response:
        """Read an event with what it changed."""
        found = event_detail(index, self.actor)
        changes = [{**asdict(change), "changed": change.changed} for change in found.changes]
        body = {"body": found.text, "changes": changes, "texts": found.texts}
        return Response({**s.as_json(found.body, found.index, found.leaf_hash), **body})


class EventProof(PlacetView):
    """The proof that an event is in the log."""

    @extend_schema(operation_id="audit_events_proof", responses=s.InclusionSerializer)
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
        found = event_detail(index, self.actor)
        text = tlog_proofs([(index, found.text)])[index]
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
        wanted = filters(request)
        events = events_exportable(self.actor, wanted)
        last = events.order_by("-index").values_list("index", flat=True).first()
        events = events.filter(index__lte=-1 if last is None else last)
        log_export(self.actor, form=form, count=events.count(), project=wanted.project or None)
        media, lines = FORMATS[form]
        response = StreamingHttpResponse(lines(streamed(events)), content_type=media)
        response["Content-Disposition"] = f'attachment; filename="placet-audit.{form}"'
        return response
