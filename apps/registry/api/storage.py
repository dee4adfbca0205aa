"""What a project keeps, and may keep."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import queries
from apps.registry.usage import bytes_kept
from placet.kernel.api.views import PlacetView


class StorageSerializer(serializers.Serializer[Any]):
    """How many bytes a project's files take, and how many they may; a quota of 0 is none."""

    used = serializers.IntegerField(
        help_text="Bytes of files, equal contents once, of unfinished uploads, and of what was "
        "removed until it is collected"
    )
    quota = serializers.IntegerField(help_text="Bytes; 0 is no limit")


class Storage(PlacetView):
    """What a project keeps, and may keep."""

    @extend_schema(operation_id="projects_storage", responses=StorageSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Read how many bytes a project's files take, and its quota."""
        project = queries.project_for(slug, self.actor)
        used = bytes_kept(project.pk)
        return Response(StorageSerializer({"used": used, "quota": project.artifact_quota}).data)
