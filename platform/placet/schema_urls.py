"""The OpenAPI document and Swagger UI, from local files."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

# Our Content-Security-Policy allows no inline script or style: the split view serves the script
# by itself, and our template has the page's few rules in a style sheet.
docs = SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="api_docs.html")

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", docs, name="api-docs"),
]
