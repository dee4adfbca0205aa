"""Freezes of an environment."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance import actions
from apps.governance.api.environments import environment_of
from apps.governance.models import Freeze
from apps.governance.queries.freezes import freezes
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import NotFound


class FreezeSerializer(serializers.Serializer[Any]):
    """A time in which nothing new starts; ``lifted_at`` is ``null`` while it stands."""

    id = serializers.CharField()
    environment = serializers.CharField(source="environment.name")
    reason = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    lifted_at = serializers.DateTimeField(allow_null=True)


class NewFreezeSerializer(serializers.Serializer[Any]):
    """A freeze to be set; without ``ends_at`` it lasts until it is lifted."""

    reason = serializers.CharField(max_length=500)
    starts_at = serializers.DateTimeField(required=False)
    ends_at = serializers.DateTimeField(required=False)


class FreezeList(ListView):
    """The freezes of an environment."""

    @extend_schema(operation_id="freezes_list", responses=page_of(FreezeSerializer))
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the freezes of an environment, newest first, lifted ones too."""
        rows = freezes(environment_of(slug, name, self.actor), self.actor)
        return self.page(rows, many(FreezeSerializer))

    @extend_schema(
        operation_id="freezes_create",
        request=NewFreezeSerializer,
        responses={201: FreezeSerializer},
    )
    def post(self, request: Request, slug: str, name: str) -> Response:
        """Freeze an environment: nothing new starts in it."""
        environment = environment_of(slug, name, self.actor)
        data: Any = self.body(NewFreezeSerializer)
        freeze = actions.set_freeze(environment, **data, actor=self.actor)
        return Response(FreezeSerializer(freeze).data, status=201)


class FreezeLift(PlacetView):
    """Ending a freeze."""

    @extend_schema(operation_id="freezes_lift", request=None, responses=FreezeSerializer)
    def post(self, request: Request, slug: str, name: str, freeze: str) -> Response:
        """Lift a freeze."""
        row = freezes(environment_of(slug, name, self.actor), self.actor).filter(pk=freeze).first()
        if row is None:
            raise NotFound
        lifted: Freeze = actions.lift_freeze(row, actor=self.actor)
        return Response(FreezeSerializer(lifted).data)
