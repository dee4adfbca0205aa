"""When one is away, and who stands in."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance import actions
from apps.governance.queries.absences import own_absence
from placet.kernel.actor import Actor
from placet.kernel.api.views import PlacetView


class AbsenceSerializer(serializers.Serializer[Any]):
    """Between when somebody is away; ``deputy`` is a person's id."""

    deputy = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class DeputySerializer(serializers.Serializer[Any]):
    """Somebody who may stand in."""

    id = serializers.CharField(source="pk")
    name = serializers.CharField(source="public_name")


class OwnAbsenceSerializer(serializers.Serializer[Any]):
    """When you are away or will be (``null``: not), and who may stand in for you."""

    absence = AbsenceSerializer(allow_null=True)
    deputy_name = serializers.CharField(help_text="Of who stands in, or ''")
    deputy_can = serializers.BooleanField(
        help_text="false: nobody stands in, the deputy decides nowhere any more where you do"
    )
    may_stand_in = DeputySerializer(many=True)


class NewAbsenceSerializer(serializers.Serializer[Any]):
    """An absence to be set, in place of what was."""

    deputy = serializers.CharField(max_length=254, help_text="An id, e-mail address or name")
    starts_at = serializers.DateTimeField(required=False, help_text="Now where it is left out")
    ends_at = serializers.DateTimeField()


def _answer(actor: Actor) -> Response:
    return Response(OwnAbsenceSerializer(own_absence(actor)).data)


class OwnAbsenceDetail(PlacetView):
    """One's own absence."""

    @extend_schema(operation_id="absence_read", responses=OwnAbsenceSerializer)
    def get(self, request: Request) -> Response:
        """Read when you are away, who stands in, and who else may."""
        return _answer(self.actor)

    @extend_schema(
        operation_id="absence_set", request=NewAbsenceSerializer, responses=OwnAbsenceSerializer
    )
    def post(self, request: Request) -> Response:
        """Say until when you are away, and who stands in."""
        data: Any = self.body(NewAbsenceSerializer)
        actions.set_absence(**data, actor=self.actor)
        return _answer(self.actor)


class OwnAbsenceClear(PlacetView):
    """Being back."""

    @extend_schema(operation_id="absence_clear", request=None, responses=OwnAbsenceSerializer)
    def post(self, request: Request) -> Response:
        """Say that you are back: nobody stands in any more."""
        actions.clear_absence(actor=self.actor)
        return _answer(self.actor)
