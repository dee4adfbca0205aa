"""What reads across all apps: the search."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.console.api.serializers import HitSerializer, SearchSerializer
from apps.console.queries.search import search
from placet.kernel.api.views import PlacetView


class Search(PlacetView):
    """Everything that has a name, a number or a digest."""

    query_params = ("q",)

    @extend_schema(
        operation_id="search",
        parameters=[
            OpenApiParameter(
                "q", description="A name, `model:3`, an alias, a release's number, an id, or the "
                "beginning of a digest"
            )
        ],
        responses=SearchSerializer,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Find what you may see by name, number, id or digest, at most ten of each kind."""
        found = search(request.query_params.get("q", ""), self.actor)
        return Response({"items": HitSerializer(found, many=True).data})
