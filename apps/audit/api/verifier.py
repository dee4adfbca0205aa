"""The offline verifier, for Python and for a browser."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from placet.kernel.api.views import PlacetView
from placet_verify.commands.pack import packed
from placet_verify_js import NAME, page


class Verifier(PlacetView):
    """The offline verifier."""

    @extend_schema(
        operation_id="verifier_read",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponse:
        """Download the verifier: one file that needs Python and ``cryptography`` alone.

        Whoever does not trust this server takes it from elsewhere: the same code gives the same
        bytes.
        """
        response = HttpResponse(packed(), content_type="application/zip")
        response["Content-Disposition"] = 'attachment; filename="placet-verify.pyz"'
        return response


class VerifierPage(PlacetView):
    """The verifier for browsers."""

    @extend_schema(
        operation_id="verifier_page", responses={(200, "text/html"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request) -> HttpResponse:
        """Download the verifier for browsers: one HTML file, to be opened from your own disk.

        Written independently of the other in another language; it loads nothing and sends
        nothing. The same sources give the same bytes.
        """
        response = HttpResponse(page(), content_type="text/html; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{NAME}"'
        return response
