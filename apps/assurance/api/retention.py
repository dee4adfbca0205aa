"""Retention, legal holds and archives of the log over REST."""

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.assurance import actions
from apps.assurance.api import retention_serializers as s
from apps.assurance.queries.retention import (
    get_archive,
    get_hold,
    retention,
    visible_archives,
    visible_holds,
)
from apps.audit.actions import log_export
from apps.registry.store import store
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView


class RetentionRule(PlacetView):
    """The rule."""

    @extend_schema(operation_id="retention_read", responses=s.RetentionSerializer)
    def get(self, request: Request) -> Response:
        """Read after how many days events may be archived."""
        return Response(s.retention_body(retention(self.actor)))

    @extend_schema(
        operation_id="retention_set",
        request=s.NewRetentionSerializer,
        responses=s.RetentionSerializer,
    )
    def post(self, request: Request) -> Response:
        """Set after how many days events may be archived."""
        data: Any = self.body(s.NewRetentionSerializer)
        return Response(s.retention_body(actions.set_retention(**data, actor=self.actor)))


class LegalHoldList(ListView):
    """Legal holds."""

    @extend_schema(operation_id="legal_holds_list", responses=page_of(s.LegalHoldSerializer))
    def get(self, request: Request) -> Response:
        """List the legal holds, those that were lifted too, newest first."""
        return self.page(visible_holds(self.actor), s.hold_bodies)

    @extend_schema(
        operation_id="legal_holds_place",
        request=s.NewLegalHoldSerializer,
        responses={201: s.LegalHoldSerializer},
    )
    def post(self, request: Request) -> Response:
        """Place a legal hold: no event that mentions its subject is archived while it stands."""
        data: Any = self.body(s.NewLegalHoldSerializer)
        row = actions.place_hold(**data, actor=self.actor)
        return Response(s.hold_bodies([row])[0], 201)


class LegalHoldLift(PlacetView):
    """Lifting a legal hold."""

    @extend_schema(
        operation_id="legal_holds_lift",
        request=s.HoldLiftSerializer,
        responses=s.LegalHoldSerializer,
    )
    def post(self, request: Request, hold: str) -> Response:
        """Lift a legal hold that somebody else placed."""
        get_hold(hold, self.actor)
        data: Any = self.body(s.HoldLiftSerializer)
        row = actions.lift_hold(hold, **data, actor=self.actor)
        return Response(s.hold_bodies([row])[0])


class ArchiveList(ListView):
    """Archives of old events."""

    @extend_schema(operation_id="archives_list", responses=page_of(s.ArchiveSerializer))
    def get(self, request: Request) -> Response:
        """List the archives of old events, newest first."""
        rows = visible_archives(self.actor)
        return self.page(rows, lambda found: [s.archive_body(row) for row in found])


class ArchiveFile(PlacetView):
    """The file of an archive."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take any ``Accept``: there is one form, and it is not rendered by DRF."""
        return super().perform_content_negotiation(request, True)

    @extend_schema(
        operation_id="archives_file",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, archive: str) -> FileResponse:
        """Download an archive: events, proofs, checkpoint and keys. That is itself an event."""
        row = get_archive(archive, self.actor)
        stream = store().open_verified(row.file)
        log_export(self.actor, form="archive", count=row.count)
        name = f"placet-archive-{row.first}-{row.last}.zip"
        return FileResponse(
            stream, as_attachment=True, filename=name, content_type="application/zip"
        )
