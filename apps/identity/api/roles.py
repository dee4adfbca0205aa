"""Roles that somebody holds."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.lookups import access_manager, named_project, one, subject
from apps.identity.models import RoleBinding
from apps.identity.queries import visible_roles
from apps.identity.rules import ROLES
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView


class RoleSerializer(serializers.Serializer[Any]):
    """A role that somebody holds, in a project, an environment, or everywhere (no project)."""

    id = serializers.CharField()
    role = serializers.CharField()
    person = serializers.CharField(source="person_id", allow_null=True)
    team = serializers.CharField(source="team_id", allow_null=True)
    service_account = serializers.CharField(source="service_account_id", allow_null=True)
    holder = serializers.SerializerMethodField(help_text="The name of who or what holds it")
    project = serializers.CharField(source="project.slug", default=None, allow_null=True)
    environment = serializers.CharField()
    granted_by = serializers.CharField()
    created_at = serializers.DateTimeField()

    def get_holder(self, binding: RoleBinding) -> str:
        """Who sees a role sees by whom it is held, as in *Members*."""
        if binding.person:
            return binding.person.public_name
        return str(binding.team or binding.service_account)


class NewRoleSerializer(serializers.Serializer[Any]):
    """A role to be granted: one subject by id, and a place by project slug and environment."""

    role = serializers.ChoiceField(choices=sorted(ROLES))
    person = serializers.CharField(max_length=40, required=False)
    team = serializers.CharField(max_length=40, required=False)
    service_account = serializers.CharField(max_length=40, required=False)
    project = serializers.CharField(max_length=60, required=False)
    environment = serializers.CharField(max_length=40, required=False, allow_blank=True)


class RoleList(ListView):
    """Roles given to people, teams and service accounts."""

    @extend_schema(operation_id="roles_list", responses=page_of(RoleSerializer))
    def get(self, request: Request) -> Response:
        """List roles where you administer or audit access, and your own."""
        rows = visible_roles(self.actor)
        return self.page(rows, many(RoleSerializer))

    @extend_schema(
        operation_id="roles_grant", request=NewRoleSerializer, responses={201: RoleSerializer}
    )
    def post(self, request: Request) -> Response:
        """Grant a role. Nobody widens their own access."""
        access_manager(self.actor)
        data: Any = self.body(NewRoleSerializer)
        binding = actions.grant_role(
            role=data["role"],
            project=named_project(data.get("project"), self.actor),
            environment=data.get("environment", ""),
            actor=self.actor,
            **subject(data),
        )
        where = {"Location": f"/api/v1/roles/{binding.pk}"}
        return Response(RoleSerializer(binding).data, status=201, headers=where)


class RoleDetail(PlacetView):
    """One role of one subject."""

    @extend_schema(operation_id="roles_read", responses=RoleSerializer)
    def get(self, request: Request, role: str) -> Response:
        """Read a role."""
        return Response(RoleSerializer(one(visible_roles(self.actor), role)).data)


class RoleRevoke(PlacetView):
    """Taking a role away."""

    @extend_schema(operation_id="roles_revoke", request=None, responses={204: None})
    def post(self, request: Request, role: str) -> Response:
        """Take a role away at once."""
        binding = one(visible_roles(self.actor), role)
        access_manager(self.actor)
        actions.revoke_role(binding, actor=self.actor)
        return Response(status=204)
