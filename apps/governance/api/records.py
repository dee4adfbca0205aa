"""One decision, with what the page of its release showed to who made it."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.api.changes import ChangesSerializer
from apps.governance.api.decisions import DecisionSerializer
from apps.governance.api.gates import GateSerializer
from apps.governance.queries.decision_detail import decision_as_made
from apps.governance.queries.records import ReleaseRecord
from placet.kernel.api.views import PlacetView


class LiveThenSerializer(serializers.Serializer[Any]):
    """What was live at the endpoint, which the release was compared with."""

    release = serializers.CharField()
    number = serializers.IntegerField()
    version = serializers.IntegerField()
    inputs = serializers.IntegerField()
    packages = serializers.IntegerField()
    is_unjustified = serializers.BooleanField(
        help_text="The review of its emergency release did not find it justified"
    )


class ServingChangeSerializer(serializers.Serializer[Any]):
    """A member of the serving configuration that differs from that of what was live."""

    name = serializers.CharField()
    live = serializers.JSONField()
    proposed = serializers.JSONField()


class PinnedThenSerializer(serializers.Serializer[Any]):
    """A piece of evidence that the request pinned, as it was summed up."""

    kind = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    digest = serializers.CharField()
    summary = serializers.DictField()


class LostPinSerializer(serializers.Serializer[Any]):
    """One that was pinned and no longer was as it had been."""

    kind = serializers.CharField()
    digest = serializers.CharField()


class ReleaseRecordSerializer(serializers.Serializer[Any]):
    """What the page of a release showed when somebody decided, beside its gates."""

    live = LiveThenSerializer(allow_null=True)
    is_stopped = serializers.BooleanField(help_text="The endpoint was")
    inputs = serializers.IntegerField()
    changes = ChangesSerializer()
    serving = serializers.SerializerMethodField()
    evidence = PinnedThenSerializer(many=True)
    lost = LostPinSerializer(many=True)
    left_out = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="How many rows of which list there was no room to keep",
    )

    @extend_schema_field(ServingChangeSerializer(many=True))
    def get_serving(self, record: ReleaseRecord) -> list[dict[str, Any]]:
        """Return what differed of the serving configuration."""
        names = ("name", "live", "proposed")
        return [dict(zip(names, row, strict=True)) for row in record.changes.serving]


class DecisionDetailSerializer(DecisionSerializer):
    """A decision with what it was made on: the gates as they stood and, but of one that was made
    before that was kept, the rest of the page. ``record_digest`` stands in the log."""

    release = serializers.CharField()
    gates = GateSerializer(many=True)
    record = ReleaseRecordSerializer(allow_null=True)
    record_digest = serializers.CharField(help_text="Of the record as it is stored, or ''")


class DecisionDetail(PlacetView):
    """One decision."""

    @extend_schema(operation_id="decisions_detail", responses=DecisionDetailSerializer)
    def get(self, request: Request, decision: str) -> Response:
        """Read a decision with what was shown to who made it."""
        found = decision_as_made(decision, self.actor)
        return Response(DecisionDetailSerializer(found).data)
