"""Runtimes: a Python and its locked packages."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.builds import queries
from placet.kernel.api.views import PlacetView, etag


class WheelSerializer(serializers.Serializer[Any]):
    """One package of a runtime."""

    name = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()


class RuntimeSerializer(serializers.Serializer[Any]):
    """A Python and its locked packages."""

    digest = serializers.CharField()
    python_version = serializers.CharField()
    lock = serializers.CharField()
    wheels = WheelSerializer(many=True)
    created_at = serializers.DateTimeField()


class RuntimeDetail(PlacetView):
    """One runtime."""

    @extend_schema(operation_id="runtimes_read", responses=RuntimeSerializer)
    def get(self, request: Request, digest: str) -> Response:
        """Read a runtime with its lock and wheels."""
        runtime = queries.runtime_for(digest, self.actor)
        return Response(RuntimeSerializer(runtime).data, headers={"ETag": etag(runtime.pk)})
