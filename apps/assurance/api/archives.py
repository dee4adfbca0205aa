"""Archives of old events."""

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.assurance.queries.retention import get_archive, visible_archives
from apps.audit.actions import log_export
from apps.audit.models import Archive
from apps.registry.store import store
from placet.kernel.api.files import file_response
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView


class ArchiveSerializer(serializers.Serializer[Any]):
    """Old events that were moved into a file: how many, the first and the last, and the file."""

    id = serializers.CharField()
    first = serializers.IntegerField()
    last = serializers.IntegerField()
    count = serializers.IntegerField()
    size = serializers.IntegerField()
    file = serializers.CharField()
    bytes = serializers.IntegerField()
    older_than = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


def archive_body(row: Archive) -> dict[str, Any]:
    """Return an archive."""
    return dict(ArchiveSerializer(row).data)


class ArchiveList(ListView):
    """Archives of old events."""

    @extend_schema(operation_id="archives_list", responses=page_of(ArchiveSerializer))
    def get(self, request: Request) -> Response:
        """List the archives of old events, newest first."""
        rows = visible_archives(self.actor)
        return self.page(rows, lambda page: [archive_body(row) for row in page])


class ArchiveFile(PlacetView):
    """The file of an archive."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take any ``Accept``: there is one form, and it is not rendered by DRF."""
        return super().perform_content_negotiation(request, True)

    @extend_schema(
        operation_id="archives_file",
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (206, "application/zip"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, archive: str) -> FileResponse:
        """Download an archive: events, proofs, checkpoint and keys. That is itself an event.

        `Range: bytes=1000-` goes on with a download that was cut; `If-Range` takes the ETag.
        """
        row = get_archive(archive, self.actor)
        stream = store().open_verified(row.file)
        name = f"placet-archive-{row.first}-{row.last}.zip"
        response = file_response(
            request._request,
            stream,
            tag=f'"{row.file}"',
            as_attachment=True,
            filename=name,
            content_type="application/zip",
        )
        log_export(self.actor, form="archive", count=row.count)
        return response
