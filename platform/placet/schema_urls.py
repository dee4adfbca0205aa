"""The OpenAPI document and Swagger UI, from local files."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

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


WRITTEN: dict[str, str | bytes] = {}  # the document by media type: 650 kB of YAML, for whoever asks


def written(renderer: BaseRenderer) -> str | bytes:
    """Return the document as ``renderer`` writes it, which it does once in a process."""
    if renderer.media_type not in WRITTEN:
        WRITTEN[renderer.media_type] = renderer.render(document(), renderer_context={})
    return WRITTEN[renderer.media_type]


class DocumentView(SpectacularAPIView):
    """Answers with the OpenAPI document, made and written once in a process."""

    def _get_schema_response(self, request: Request) -> HttpResponse:
        renderer = request.accepted_renderer
        kind = f"{renderer.media_type}; charset={renderer.charset or 'utf-8'}"
        return HttpResponse(written(renderer), content_type=kind)


urlpatterns = [
    path("schema/", DocumentView.as_view(), name="schema"),
    path("docs/", docs, name="api-docs"),
]
