"""The files of a version."""

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.registry import actions, queries
from apps.registry.models import ArtifactFile
from apps.registry.store import store
from placet.kernel.api.files import file_response
from placet.kernel.api.serializers import Serializer
from placet.kernel.api.views import PlacetView


class FileSerializer(Serializer):
    """One file of a version."""

    id = serializers.CharField()
    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()


def file_tag(file: ArtifactFile) -> str:
    """Return the ETag of a file: its bytes."""
    return f'"{file.sha256}"'


class VersionFile(PlacetView):
    """One file of a version."""

    @extend_schema(
        operation_id="versions_read_file",
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, slug: str, name: str, number: int, path: str) -> FileResponse:
        """Download a file; its bytes are checked against their digest first.

        `Range: bytes=1000-` goes on with a download that was cut; `If-Range` takes the ETag.
        """
        version = queries.version_for(slug, name, number, self.actor)
        file = queries.file_for(version, path, self.actor)
        return file_response(
            request._request,
            store().open_verified(file.sha256),
            tag=file_tag(file),
            as_attachment=True,
            filename=file.path.rsplit("/", 1)[-1],
            content_type="application/octet-stream",
            headers={"X-Content-Type-Options": "nosniff"},
        )

    @extend_schema(operation_id="versions_delete_file", responses={204: None})
    def delete(self, request: Request, slug: str, name: str, number: int, path: str) -> Response:
        """Take a file out of a draft. Needs If-Match with the file's ETag."""
        version = queries.version_for(slug, name, number, self.actor)
        file = queries.file_for(version, path, self.actor)
        match_for("version.edit", version, file_tag(file), asked=self, see="version.view")
        actions.remove_file(version, path=path, actor=self.actor, if_sha256=file.sha256)
        return Response(status=204)
