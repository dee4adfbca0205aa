"""Recalls and receipts over the API."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.assurance import actions, queries
from apps.assurance.actions.reporting import report_of
from apps.assurance.api.serializers import (
    EffectSerializer,
    LiftSerializer,
    NewRecallSerializer,
    PreviewSerializer,
    RecallDetailSerializer,
    RecallSerializer,
    ReceiptSerializer,
    effect_body,
    preview_body,
    recall_bodies,
    recall_detail,
    receipt_body,
)
from apps.assurance.models import RecallKind
from apps.governance.api.views.exports import ZipRenderer, zipped
from apps.identity.api.views.lookups import named_project
from apps.serving.queries import get_endpoint
from placet.kernel import keystore
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput

FILTERS = {"project": "project__slug", "kind": "kind", "state": "state"}


def previewed(actor: Actor, *, kind: str, what: str, project: str | None) -> dict[str, Any]:
    """Return what a recall would reach, for who may recall it."""
    found = queries.foresee(
        actor, kind=kind, what=what, project=named_project(project, actor), ring=keystore.ring()
    )
    return preview_body(found, queries.preview(found))


class RecallList(ListView):
    """Recalls."""

    filters = tuple(FILTERS)

    @extend_schema(
        operation_id="recalls_list",
        parameters=[OpenApiParameter(n, description=f"Only of this {n}") for n in FILTERS],
        responses=page_of(RecallSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the recalls that you may see, newest first."""
        given = {FILTERS[n]: request.query_params[n] for n in FILTERS if n in request.query_params}
        rows = queries.with_counts(queries.visible_recalls(self.actor).filter(**given))
        return self.page(rows, recall_bodies)

    @extend_schema(
        operation_id="recalls_create",
        request=NewRecallSerializer,
        responses={201: RecallDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Recall something: every release that it reaches ends, each endpoint falls back or stops.

        Asked for again while it stands, the same recall is answered.
        """
        data: Any = self.body(NewRecallSerializer)
        project = named_project(data.pop("project", None), self.actor)
        row = actions.recall(**data, project=project, actor=self.actor)
        return Response(recall_detail(queries.get_recall(row.pk, self.actor)), 201)


class RecallPreview(PlacetView):
    """What a recall would reach."""

    query_params = ("kind", "what", "project")

    @extend_schema(
        operation_id="recalls_preview",
        parameters=[
            OpenApiParameter("kind", enum=RecallKind.values, required=True),
            OpenApiParameter("what", required=True, description="An id or a digest"),
            OpenApiParameter("project", description="The slug, for what belongs to a project"),
        ],
        responses=PreviewSerializer,
    )
    def get(self, request: Request) -> Response:
        """Say what a recall would reach and do. Nothing is written."""
        given = request.query_params
        kind = given.get("kind", "")
        if kind not in RecallKind.values:
            raise InvalidInput(
                errors=[FieldError("kind", f"One of {', '.join(RecallKind.values)}")]
            )
        body = previewed(
            self.actor, kind=kind, what=given.get("what", ""), project=given.get("project")
        )
        return Response(body)


class RecallDetail(PlacetView):
    """One recall."""

    @extend_schema(operation_id="recalls_read", responses=RecallDetailSerializer)
    def get(self, request: Request, recall: str) -> Response:
        """Read a recall and how far it is."""
        return Response(recall_detail(queries.get_recall(recall, self.actor)))


class RecallEffects(ListView):
    """What a recall did."""

    @extend_schema(operation_id="recalls_effects", responses=page_of(EffectSerializer))
    def get(self, request: Request, recall: str) -> Response:
        """List what a recall did to each release that it reached."""
        rows = queries.effects_of(queries.get_recall(recall, self.actor))
        return self.page(rows, lambda found: [effect_body(row) for row in found])


class RecallReceipts(ListView):
    """What nodes answered."""

    @extend_schema(operation_id="recalls_receipts", responses=page_of(ReceiptSerializer))
    def get(self, request: Request, recall: str) -> Response:
        """List the receipts by which nodes confirmed a recall."""
        rows = queries.receipts_of(queries.get_recall(recall, self.actor))
        return self.page(rows, lambda found: [receipt_body(row) for row in found])


class RecallReport(PlacetView):
    """A recall for outsiders."""

    renderer_classes: Any = [JSONRenderer, ZipRenderer]

    @extend_schema(
        operation_id="recalls_report",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, recall: str) -> HttpResponse:
        """Download a recall with all that an outsider needs to see how far it is. Is itself an
        event."""
        row = queries.get_recall(recall, self.actor)
        response = HttpResponse(zipped(report_of(row, self.actor)), content_type="application/zip")
        response["Content-Disposition"] = f'attachment; filename="{row.pk}.zip"'
        return response


class RecallLift(PlacetView):
    """Ending a recall."""

    @extend_schema(
        operation_id="recalls_lift", request=LiftSerializer, responses=RecallDetailSerializer
    )
    def post(self, request: Request, recall: str) -> Response:
        """Lift a recall that somebody else made. The releases stay revoked."""
        row = queries.get_recall(recall, self.actor)
        data: Any = self.body(LiftSerializer)
        actions.lift(row, **data, actor=self.actor)
        return Response(recall_detail(queries.get_recall(recall, self.actor)))


class EndpointReceipts(ListView):
    """What ran behind an endpoint."""

    @extend_schema(operation_id="endpoints_receipts", responses=page_of(ReceiptSerializer))
    def get(self, request: Request, endpoint: str) -> Response:
        """List what nodes signed to have run behind an endpoint, from when to when."""
        rows = queries.receipts_of_endpoint(get_endpoint(endpoint, self.actor))
        return self.page(rows, lambda found: [receipt_body(row) for row in found])
