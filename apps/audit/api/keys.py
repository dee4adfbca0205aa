"""The public keys of this installation."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from placet.kernel.api.views import PlacetView
from placet.kernel.keystore import keys_document, root_public


class Keys(PlacetView):
    """The public keys of this installation."""

    @extend_schema(
        operation_id="keys_read", responses={(200, "application/json"): OpenApiTypes.OBJECT}
    )
    def get(self, request: Request) -> HttpResponse:
        """Read ``keys.json``, signed by the root key."""
        return HttpResponse(keys_document(), content_type="application/json")


class RootKey(PlacetView):
    """The public root key, which signs ``keys.json``."""

    @extend_schema(
        operation_id="keys_root", responses={(200, "application/x-pem-file"): OpenApiTypes.STR}
    )
    def get(self, request: Request) -> HttpResponse:
        """Read the root key as PEM. Compare its fingerprint with the one you were given."""
        return HttpResponse(root_public().to_pem(), content_type="application/x-pem-file")
