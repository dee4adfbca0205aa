"""The OpenAPI document and Swagger UI, from local files."""

from functools import cache
from typing import Any

from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

# Our Content-Security-Policy allows no inline script or style: the split view serves the script
# by itself, and our template has the page's few rules in a style sheet.
docs = SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="api_docs.html")


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document: the same for everybody, and slow to make."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(  # type: ignore[no-untyped-call]
        request=None, public=True
    )
    return schema


class DocumentView(SpectacularAPIView):
    """Answers with the OpenAPI document, made once in a process."""

    def _get_schema_response(self, request: Request) -> Response:
        return Response(document())


urlpatterns = [
    path("schema/", DocumentView.as_view(), name="schema"),
    path("docs/", docs, name="api-docs"),
]
