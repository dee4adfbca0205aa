"""Finding across all apps."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.console.queries.search import search
from placet.kernel.api.views import PlacetView

KINDS = (
    "model",
    "version",
    "release",
    "endpoint",
    "project",
    "target",
    "environment",
    "person",
    "team",
    "recall",
    "build",
    "policy",
    "guide",
)


class HitSerializer(serializers.Serializer[Any]):
    """One thing that was found; ``url`` is its page."""

    kind = serializers.ChoiceField(choices=KINDS)
    id = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    url = serializers.CharField()


class SearchSerializer(serializers.Serializer[Any]):
    """What was found."""

    items = HitSerializer(many=True)


class Search(PlacetView):
    """Everything that has a name, a number or a digest."""

    query_params = ("q",)

    @extend_schema(
        operation_id="search",
        parameters=[
            OpenApiParameter(
                "q",
                description="A name, `model:3`, an alias, a release's number, an id, the beginning "
                "of a digest, or words of a title in the guides or of a release's reason (of the "
                "newest 10,000 releases)",
            )
        ],
        responses=SearchSerializer,
    )
    def get(self, request: Request) -> Response:
        """Find what you may see by name, number, id, digest or words, at most ten of each kind."""
        hits = search(request.query_params.get("q", ""), self.actor)
        return Response({"items": HitSerializer(hits, many=True).data})
