"""Service accounts."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.lookups import access_manager, named, one
from apps.identity.models import User
from apps.identity.queries import visible_services
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView


class ServiceAccountSerializer(serializers.Serializer[Any]):
    """A program's account; its owner answers for it."""

    id = serializers.CharField()
    name = serializers.CharField()
    owner = serializers.CharField(source="owner_id")
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class NewServiceAccountSerializer(serializers.Serializer[Any]):
    """A service account to be made; ``owner`` is the id of the person who answers for it."""

    name = serializers.CharField(max_length=60)
    owner = serializers.CharField(max_length=40)


class ServiceAccountList(ListView):
    """Service accounts."""

    @extend_schema(
        operation_id="service_accounts_list", responses=page_of(ServiceAccountSerializer)
    )
    def get(self, request: Request) -> Response:
        """List service accounts: all if you administer or audit access, else those you own."""
        rows = visible_services(self.actor)
        return self.page(rows, many(ServiceAccountSerializer))

    @extend_schema(
        operation_id="service_accounts_create",
        request=NewServiceAccountSerializer,
        responses={201: ServiceAccountSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a service account with a person who answers for it."""
        access_manager(self.actor)
        data: Any = self.body(NewServiceAccountSerializer)
        owner = named(User, "owner", data["owner"])
        assert owner is not None
        account = actions.create_service_account(name=data["name"], owner=owner, actor=self.actor)
        where = {"Location": f"/api/v1/service-accounts/{account.pk}"}
        return Response(ServiceAccountSerializer(account).data, status=201, headers=where)


class ServiceAccountDetail(PlacetView):
    """One service account."""

    @extend_schema(operation_id="service_accounts_read", responses=ServiceAccountSerializer)
    def get(self, request: Request, account: str) -> Response:
        """Read a service account."""
        row = one(visible_services(self.actor), account)
        return Response(ServiceAccountSerializer(row).data)


class ServiceAccountDeactivate(PlacetView):
    """Ending a service account."""

    @extend_schema(
        operation_id="service_accounts_deactivate",
        request=None,
        responses=ServiceAccountSerializer,
    )
    def post(self, request: Request, account: str) -> Response:
        """End a service account and all its tokens."""
        row = one(visible_services(self.actor), account)
        row = actions.deactivate_service_account(row, actor=self.actor)
        return Response(ServiceAccountSerializer(row).data)
