"""After how many days events may be archived."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.assurance import actions
from apps.assurance.actions.retention import LEAST_DAYS, MOST_DAYS
from apps.assurance.models import Retention
from apps.assurance.queries.retention import retention
from placet.kernel.api.views import PlacetView


class RetentionSerializer(serializers.Serializer[Any]):
    """After how many days events may be archived; ``null``: never."""

    days = serializers.IntegerField(allow_null=True)
    set_by = serializers.CharField(allow_null=True)
    set_at = serializers.DateTimeField(allow_null=True)


class NewRetentionSerializer(serializers.Serializer[Any]):
    """A rule to be set."""

    days = serializers.IntegerField(min_value=LEAST_DAYS, max_value=MOST_DAYS)


def retention_body(row: Retention | None) -> dict[str, Any]:
    """Return the rule."""
    body = {
        "days": row.days if row else None,
        "set_by": row.set_by if row else None,
        "set_at": row.set_at if row else None,
    }
    return dict(RetentionSerializer(body).data)


class RetentionRule(PlacetView):
    """The rule."""

    @extend_schema(operation_id="retention_read", responses=RetentionSerializer)
    def get(self, request: Request) -> Response:
        """Read after how many days events may be archived."""
        return Response(retention_body(retention(self.actor)))

    @extend_schema(
        operation_id="retention_set",
        request=NewRetentionSerializer,
        responses=RetentionSerializer,
    )
    def post(self, request: Request) -> Response:
        """Set after how many days events may be archived."""
        data: Any = self.body(NewRetentionSerializer)
        return Response(retention_body(actions.set_retention(**data, actor=self.actor)))
