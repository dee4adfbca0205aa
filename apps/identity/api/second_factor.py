"""Roles that demand a second factor."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.lookups import access_manager
from apps.identity.models import SecondFactorDemand
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView


class SecondFactorDemandSerializer(serializers.Serializer[Any]):
    """A role that counts for people only while they have a second factor to sign in with."""

    role = serializers.CharField()
    demanded_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewSecondFactorDemandSerializer(serializers.Serializer[Any]):
    """A role that is to demand a second factor."""

    role = serializers.CharField(max_length=20)


class SecondFactorDemandList(ListView):
    """Roles that demand a second factor."""

    @extend_schema(
        operation_id="second_factor_demands_list", responses=page_of(SecondFactorDemandSerializer)
    )
    def get(self, request: Request) -> Response:
        """List the roles that demand a second factor."""
        return self.page(SecondFactorDemand.objects.all(), many(SecondFactorDemandSerializer))

    @extend_schema(
        operation_id="second_factor_demands_add",
        request=NewSecondFactorDemandSerializer,
        responses={201: SecondFactorDemandSerializer},
    )
    def post(self, request: Request) -> Response:
        """Have a role count only for people with a second factor."""
        access_manager(self.actor)
        data: Any = self.body(NewSecondFactorDemandSerializer)
        row = actions.demand_second_factor(data["role"], actor=self.actor)
        return Response(SecondFactorDemandSerializer(row).data, status=201)


class SecondFactorDemandWaive(PlacetView):
    """A role that demands a second factor no longer."""

    @extend_schema(operation_id="second_factor_demands_waive", request=None, responses={204: None})
    def post(self, request: Request, demanding_role: str) -> Response:
        """Have a role count for people without a second factor again."""
        access_manager(self.actor)
        actions.waive_second_factor(demanding_role, actor=self.actor)
        return Response(status=204)
