"""Time stamps of the checkpoints over REST."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.api import timestamp_serializers as s
from apps.audit.queries.timestamps import stamped, timestamps
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView


class TimestampList(ListView):
    """When checkpoints existed, by the word of others."""

    @extend_schema(
        operation_id="timestamps_list",
        responses=page_of(s.TimestampSerializer, "A page of time stamps."),
    )
    def get(self, request: Request) -> Response:
        """List the time stamps of the checkpoints, the newest first."""
        return self.page(timestamps(), lambda found: [s.timestamp(row) for row in found])


class TimestampDetail(PlacetView):
    """One time stamp."""

    @extend_schema(operation_id="timestamps_read", responses=s.TimestampDetailSerializer)
    def get(self, request: Request, size: int, authority: str) -> Response:
        """Read a time stamp with the checkpoint that it is over."""
        return Response(s.timestamp_detail(stamped(size, authority)))
