"""Files of comments."""

import io
from typing import Any, cast

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.discussions import actions, queries
from apps.discussions.errors import OthersComment
from apps.discussions.models import CommentFile
from placet.kernel.api.files import file_response
from placet.kernel.api.views import PlacetView, etag, require_match

# A browser that is led there saves it under its name and draws nothing of it, whatever it is.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def file_tag(row: CommentFile) -> str:
    """Return the ETag of a file: its bytes."""
    return etag(row.pk, row.commitment)


class CommentFileDetail(PlacetView):
    """One file of a comment."""

    @extend_schema(
        operation_id="thread_files_read",
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, thread: str, comment: str, file: str) -> FileResponse:
        """Download a file, once it was scanned. It is never shown in the browser."""
        row = queries.get_file(thread, comment, file, self.actor)
        name, content = queries.read_file(row)
        return file_response(
            request._request,
            cast(Any, io.BytesIO(content)),
            tag=file_tag(row),
            as_attachment=True,
            filename=name,
            content_type="application/octet-stream",
            headers=HEADERS,
        )

    @extend_schema(operation_id="thread_files_delete", responses={204: None})
    def delete(self, request: Request, thread: str, comment: str, file: str) -> Response:
        """Delete a file of your own comment. Needs If-Match with the file's ETag."""
        row = queries.get_file(thread, comment, file, self.actor)
        if not queries.may_delete(row.comment, self.actor):
            raise OthersComment
        require_match(request, file_tag(row))
        actions.delete_file(row, actor=self.actor)
        return Response(status=204)
