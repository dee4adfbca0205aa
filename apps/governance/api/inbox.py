"""The releases that wait for a decision of whoever asks."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.api.releases import ReleaseSerializer
from apps.governance.queries import visible_rows
from apps.governance.queries.by_clock import with_clock
from apps.identity.queries import as_owner, sees_in
from placet.kernel.api.lists import page_of
from placet.kernel.api.views import PlacetView


class WaitingReleaseSerializer(ReleaseSerializer):
    """A release that waits for your decision, and who asked you by name, if anybody did."""

    asked_by = serializers.SerializerMethodField()
    stands_in_for = serializers.SerializerMethodField()
    review_due_at = serializers.SerializerMethodField()

    def get_asked_by(self, row: Any) -> str:
        """Who asked you by name to review it, or somebody for whom you stand in, or ''."""
        return row.by_name.by if row.by_name else ""

    def get_stands_in_for(self, row: Any) -> str:
        """Who is away and was asked, and for whom you stand in, or ''."""
        return row.by_name.away if row.by_name else ""

    def get_review_due_at(self, row: Any) -> datetime | None:
        """Until when they asked you, if they said so."""
        return row.by_name.due_at if row.by_name else None


class Inbox(PlacetView):
    """What waits on whoever asks."""

    @extend_schema(operation_id="inbox", responses=page_of(WaitingReleaseSerializer))
    def get(self, request: Request) -> Response:
        """List the releases that wait for your decision: those first for which you were asked by
        name, then the oldest."""
        found = visible_rows.inbox(as_owner(self.actor), with_clock)
        seen = [row for row in found if sees_in(row.project_id, "release.view", self.actor)]
        rows = WaitingReleaseSerializer(seen, many=True).data
        return Response({"items": rows, "next_cursor": None})
