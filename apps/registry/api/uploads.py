"""Uploads: announce a file, send it in chunks, go on where it was cut."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.registry import actions, queries
from apps.registry.api.files import FileSerializer
from apps.registry.api.versions import VersionView
from apps.registry.errors import WrongMediaType
from apps.registry.models import ArtifactFile, Upload
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.serializers import Serializer
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.bodies import CHUNK_TYPE
from placet.kernel.problems import FieldError, InvalidInput, LengthRequired

OFFSET = OpenApiParameter("Upload-Offset", int, OpenApiParameter.HEADER, required=True)


class NewUploadSerializer(Serializer):
    """A file to be uploaded."""

    path = serializers.CharField(trim_whitespace=False)
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    archive = serializers.BooleanField(required=False, default=False)


class UploadSerializer(Serializer):
    """A file on its way in; ``received`` is the offset of the next chunk."""

    id = serializers.CharField()
    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    archive = serializers.BooleanField()
    received = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class StartedUploadSerializer(Serializer):
    """Where to send a file's bytes, or the file when the server has them."""

    upload = UploadSerializer(allow_null=True)
    file = FileSerializer(allow_null=True)


class FinishedUploadSerializer(Serializer):
    """The files that an upload became."""

    files = FileSerializer(many=True)


def upload_tag(upload: Upload) -> str:
    """Return the ETag of an upload."""
    return etag(upload.pk, upload.received)


def upload_headers(upload: Upload) -> dict[str, str]:
    """Return where an upload stands, as headers."""
    return {
        "Upload-Offset": str(upload.received),
        "Upload-Length": str(upload.size),
        "Cache-Control": "no-store",
        "ETag": upload_tag(upload),
    }


def finished(files: list[ArtifactFile]) -> Response:
    """Answer with the files that an upload became."""
    return Response(FinishedUploadSerializer({"files": files}).data)


class UploadList(VersionView, ListView):
    """The files of a version that are on their way."""

    @extend_schema(operation_id="uploads_list", responses=page_of(UploadSerializer))
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """List the unfinished uploads of a version."""
        rows = self.version(slug, name, number).uploads.all()
        return self.page(rows, many(UploadSerializer))

    @extend_schema(
        operation_id="uploads_start",
        request=NewUploadSerializer,
        responses={200: StartedUploadSerializer, 201: StartedUploadSerializer},
    )
    def post(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Announce a file: 201 with the upload to send bytes to, 200 when they are here already."""
        version = self.version(slug, name, number)
        data: Any = self.body(NewUploadSerializer)
        started = actions.start_upload(version, **data, actor=self.actor)
        if isinstance(started, ArtifactFile):
            return Response(StartedUploadSerializer({"upload": None, "file": started}).data)
        body = StartedUploadSerializer({"upload": started, "file": None}).data
        headers = {**upload_headers(started), "Location": f"/api/v1/uploads/{started.pk}"}
        return Response(body, status=201, headers=headers)


class UploadDetail(PlacetView):
    """One upload."""

    @extend_schema(operation_id="uploads_read", responses=UploadSerializer)
    def get(self, request: Request, upload: str) -> Response:
        """Tell where an upload stands; HEAD answers with the headers alone."""
        row = queries.upload_for(upload, self.actor)
        return Response(UploadSerializer(row).data, headers=upload_headers(row))

    @extend_schema(
        operation_id="uploads_append",
        parameters=[OFFSET, OpenApiParameter("If-Match", location="header", exclude=True)],
        request={CHUNK_TYPE: OpenApiTypes.BINARY},
        responses={200: FinishedUploadSerializer, 204: None},
    )
    def patch(self, request: Request, upload: str) -> Response:
        """Send a chunk that starts at Upload-Offset (which stands in for If-Match).

        204 with the new offset while bytes are missing; 200 with the files once complete.
        """
        row = queries.upload_for(upload, self.actor)
        offset, length = self._chunk(request)
        received = actions.receive_chunk(
            row, offset=offset, stream=request._request, length=length, actor=self.actor
        )
        if received.files:
            return finished(received.files)
        return Response(status=204, headers=upload_headers(row))

    @extend_schema(operation_id="uploads_cancel", responses={204: None})
    def delete(self, request: Request, upload: str) -> Response:
        """Give up an upload. Needs If-Match."""
        row = queries.upload_for(upload, self.actor)
        tag = upload_tag(row)
        match_for("version.edit", row.version, tag, asked=self, see="version.view")
        actions.cancel_upload(row, actor=self.actor)
        return Response(status=204)

    def _chunk(self, request: Request) -> tuple[int, int]:
        """Return offset and length of the chunk without touching its bytes."""
        if request.content_type != CHUNK_TYPE:
            raise WrongMediaType
        offset = request.headers.get("Upload-Offset", "")
        if not (offset.isascii() and offset.isdigit() and len(offset) <= 15):
            detail = "The number of bytes sent so far"
            raise InvalidInput(errors=[FieldError("Upload-Offset", detail)])
        length = request.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise LengthRequired
        return int(offset), int(length)


class UploadFinish(PlacetView):
    """Completing an upload whose last chunk's answer was lost."""

    @extend_schema(operation_id="uploads_finish", request=None, responses=FinishedUploadSerializer)
    def post(self, request: Request, upload: str) -> Response:
        """Verify a complete upload and make it part of its version."""
        row = queries.upload_for(upload, self.actor)
        return finished(actions.finish_upload(row, actor=self.actor))
