"""Roles and tokens."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api import serializers as s
from apps.identity.api.views.lookups import access_manager, named_project, one, subject
from apps.identity.models import User
from apps.identity.queries import own_tokens, visible_roles, visible_services
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput


class RoleList(ListView):
    """Roles given to people, teams and service accounts."""

    @extend_schema(operation_id="roles_list", responses=page_of(s.RoleSerializer))
    def get(self, request: Request) -> Response:
        """List roles where you administer or audit access, and your own."""
        rows = visible_roles(self.actor)
        return self.page(rows, many(s.RoleSerializer))

    @extend_schema(
        operation_id="roles_grant", request=s.NewRoleSerializer, responses={201: s.RoleSerializer}
    )
    def post(self, request: Request) -> Response:
        """Grant a role. Nobody widens their own access."""
        access_manager(self.actor)
        data: Any = self.body(s.NewRoleSerializer)
        binding = actions.grant_role(
            role=data["role"],
            project=named_project(data.get("project"), self.actor),
            environment=data.get("environment", ""),
            actor=self.actor,
            **subject(data),
        )
        where = {"Location": f"/api/v1/roles/{binding.pk}"}
        return Response(s.RoleSerializer(binding).data, status=201, headers=where)


class RoleDetail(PlacetView):
    """One role of one subject."""

    @extend_schema(operation_id="roles_read", responses=s.RoleSerializer)
    def get(self, request: Request, role: str) -> Response:
        """Read a role."""
        return Response(s.RoleSerializer(one(visible_roles(self.actor), role)).data)


class RoleRevoke(PlacetView):
    """Taking a role away."""

    @extend_schema(operation_id="roles_revoke", request=None, responses={204: None})
    def post(self, request: Request, role: str) -> Response:
        """Take a role away at once."""
        binding = one(visible_roles(self.actor), role)
        access_manager(self.actor)
        actions.revoke_role(binding, actor=self.actor)
        return Response(status=204)


class TokenList(ListView):
    """One's own tokens and those of the service accounts one owns."""

    @extend_schema(operation_id="tokens_list", responses=page_of(s.TokenSerializer))
    def get(self, request: Request) -> Response:
        """List your tokens and those of your service accounts, without secrets."""
        rows = own_tokens(self.actor).select_related("project")
        return self.page(rows, many(s.TokenSerializer))

    @extend_schema(
        operation_id="tokens_issue",
        request=s.NewTokenSerializer,
        responses={201: s.IssuedTokenSerializer},
    )
    def post(self, request: Request) -> Response:
        """Issue a token; its secret is shown this once. Only in a browser session."""
        data: Any = self.body(s.NewTokenSerializer)
        token, secret = actions.issue_token(
            name=data["name"],
            scopes=data["scopes"],
            expires_at=data["expires_at"],
            project=named_project(data.get("project"), self.actor),
            actor=self.actor,
            **self.holder(data.get("service_account")),
        )
        body = {**s.TokenSerializer(token).data, "secret": secret}
        where = {"Location": f"/api/v1/tokens/{token.pk}", "Cache-Control": "no-store"}
        return Response(body, status=201, headers=where)

    def holder(self, account: str | None) -> dict[str, Any]:
        """Return whom the token acts for: the named service account, else the person asking."""
        if account is None:
            return {"person": User.objects.get(pk=self.actor.accountable)}
        found = visible_services(self.actor).filter(pk=account).first()
        if found is None:
            raise InvalidInput(
                errors=[FieldError("/service_account", "There is none with this id")]
            )
        return {"service_account": found}


class TokenDetail(PlacetView):
    """One token."""

    @extend_schema(operation_id="tokens_read", responses=s.TokenSerializer)
    def get(self, request: Request, token: str) -> Response:
        """Read a token, without its secret."""
        row = one(own_tokens(self.actor).select_related("project"), token)
        return Response(s.TokenSerializer(row).data)


class TokenRevoke(PlacetView):
    """Ending a token."""

    @extend_schema(operation_id="tokens_revoke", request=None, responses=s.TokenSerializer)
    def post(self, request: Request, token: str) -> Response:
        """End a token at once; a token may end itself."""
        row = actions.revoke_token(one(own_tokens(self.actor), token), actor=self.actor)
        return Response(s.TokenSerializer(row).data)
