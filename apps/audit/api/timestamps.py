"""Time stamps of the checkpoints over REST."""

import base64
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.models import Timestamp
from apps.audit.queries.timestamps import Stamped, stamped, timestamps
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView


class TimestampSerializer(serializers.Serializer[Any]):
    """An authority's word that the checkpoint over ``size`` events existed ``at`` a time."""

    size = serializers.IntegerField()
    authority = serializers.CharField()
    at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class TimestampDetailSerializer(TimestampSerializer):
    """A time stamp, opened.

    ``note`` is what was stamped, byte for byte; ``reply`` (base64) the answer of the authority as
    RFC 3161 has it, which ``openssl ts -verify`` takes.
    """

    serial = serializers.CharField()
    note = serializers.CharField()
    reply = serializers.CharField()


def timestamp_body(row: Timestamp) -> dict[str, Any]:
    """Return a time stamp."""
    return dict(TimestampSerializer(row).data)


def timestamp_detail_body(found: Stamped) -> dict[str, Any]:
    """Return a time stamp with all that is needed to check it."""
    opened = {
        "serial": found.serial,
        "note": found.note,
        "reply": base64.b64encode(found.reply).decode("ascii"),
    }
    return timestamp_body(found.row) | opened


class TimestampList(ListView):
    """When checkpoints existed, by the word of others."""

    @extend_schema(
        operation_id="timestamps_list",
        responses=page_of(TimestampSerializer, "A page of time stamps."),
    )
    def get(self, request: Request) -> Response:
        """List the time stamps of the checkpoints, the newest first."""
        return self.page(timestamps(), lambda page: [timestamp_body(row) for row in page])


class TimestampDetail(PlacetView):
    """One time stamp."""

    @extend_schema(operation_id="timestamps_read", responses=TimestampDetailSerializer)
    def get(self, request: Request, size: int, authority: str) -> Response:
        """Read a time stamp with the checkpoint that it is over."""
        return Response(timestamp_detail_body(stamped(size, authority)))
