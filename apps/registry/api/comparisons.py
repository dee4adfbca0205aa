"""Two versions of one model side by side."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import queries
from apps.registry.api.versions import VersionView
from placet.kernel.api.serializers import Serializer


class ChangeSerializer(Serializer):
    """One line of a comparison; ``change`` is the difference of two numbers."""

    name = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()
    state = serializers.ChoiceField(choices=["same", "changed", "added", "removed"])
    change = serializers.FloatField(allow_null=True)


class SideSerializer(Serializer):
    """One side of a comparison."""

    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    number = serializers.IntegerField()
    artifact_digest = serializers.CharField()
    format = serializers.CharField()
    python_version = serializers.CharField()


class ComparisonSerializer(Serializer):
    """How version ``b`` differs from version ``a``; ``card`` is a unified diff."""

    a = SideSerializer()
    b = SideSerializer()
    metrics = ChangeSerializer(many=True)
    parameters = ChangeSerializer(many=True)
    inputs = ChangeSerializer(many=True)
    outputs = ChangeSerializer(many=True)
    requirements = ChangeSerializer(many=True)
    files = ChangeSerializer(many=True)
    datasets = ChangeSerializer(many=True)
    code = ChangeSerializer(many=True)
    card = serializers.ListField(child=serializers.CharField(allow_blank=True))


class VersionCompare(VersionView):
    """Two versions of one model side by side."""

    @extend_schema(operation_id="versions_compare", responses=ComparisonSerializer)
    def get(self, request: Request, slug: str, name: str, a: int, b: int) -> Response:
        """Tell what changed from version ``a`` to version ``b``."""
        before, after = self.version(slug, name, a), self.version(slug, name, b)
        comparison = queries.compare(before, after, self.actor)
        return Response(ComparisonSerializer(comparison).data)
