"""API tokens."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.lookups import named_project, one
from apps.identity.models import User
from apps.identity.queries import own_tokens, visible_services
from apps.identity.rules import SCOPES
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput


class TokenSerializer(serializers.Serializer[Any]):
    """An API token, without its secret."""

    id = serializers.CharField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    person = serializers.CharField(source="person_id", allow_null=True)
    service_account = serializers.CharField(source="service_account_id", allow_null=True)
    scopes = serializers.ListField(child=serializers.CharField())
    project = serializers.CharField(source="project.slug", default=None, allow_null=True)
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewTokenSerializer(serializers.Serializer[Any]):
    """A token to be issued, for oneself or a service account one owns."""

    name = serializers.CharField(max_length=120)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(SCOPES)), min_length=1, max_length=200
    )
    expires_at = serializers.DateTimeField()
    project = serializers.CharField(max_length=60, required=False)
    service_account = serializers.CharField(max_length=40, required=False)


class IssuedTokenSerializer(TokenSerializer):
    """A token just made; ``secret`` is shown this once."""

    secret = serializers.CharField()


class TokenList(ListView):
    """One's own tokens and those of the service accounts one owns."""

    @extend_schema(operation_id="tokens_list", responses=page_of(TokenSerializer))
    def get(self, request: Request) -> Response:
        """List your tokens and those of your service accounts, without secrets."""
        rows = own_tokens(self.actor).select_related("project")
        return self.page(rows, many(TokenSerializer))

    @extend_schema(
        operation_id="tokens_issue",
        request=NewTokenSerializer,
        responses={201: IssuedTokenSerializer},
    )
    def post(self, request: Request) -> Response:
        """Issue a token; its secret is shown this once. Only in a browser session."""
        data: Any = self.body(NewTokenSerializer)
        token, secret = actions.issue_token(
            name=data["name"],
            scopes=data["scopes"],
            expires_at=data["expires_at"],
            project=named_project(data.get("project"), self.actor),
            actor=self.actor,
            **self.holder(data.get("service_account")),
        )
        body = {**TokenSerializer(token).data, "secret": secret}
        where = {"Location": f"/api/v1/tokens/{token.pk}", "Cache-Control": "no-store"}
        return Response(body, status=201, headers=where)

    def holder(self, account: str | None) -> dict[str, Any]:
        """Return whom the token acts for: the named service account, else the person asking."""
        if account is None:
            return {"person": User.objects.get(pk=self.actor.accountable)}
        service = visible_services(self.actor).filter(pk=account).first()
        if service is None:
            raise InvalidInput(
                errors=[FieldError("/service_account", "There is none with this id")]
            )
        return {"service_account": service}


class TokenDetail(PlacetView):
    """One token."""

    @extend_schema(operation_id="tokens_read", responses=TokenSerializer)
    def get(self, request: Request, token: str) -> Response:
        """Read a token, without its secret."""
        row = one(own_tokens(self.actor).select_related("project"), token)
        return Response(TokenSerializer(row).data)


class TokenRevoke(PlacetView):
    """Ending a token."""

    @extend_schema(operation_id="tokens_revoke", request=None, responses=TokenSerializer)
    def post(self, request: Request, token: str) -> Response:
        """End a token at once; a token may end itself."""
        row = actions.revoke_token(one(own_tokens(self.actor), token), actor=self.actor)
        return Response(TokenSerializer(row).data)
