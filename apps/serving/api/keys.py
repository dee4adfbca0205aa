"""API keys of endpoints."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.serving import actions, queries
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import NotFound


class NewKeySerializer(serializers.Serializer[Any]):
    """An API key to be issued."""

    name = serializers.CharField(max_length=120)


class KeySerializer(serializers.Serializer[Any]):
    """An API key of an endpoint, without its secret, which is never shown again."""

    id = serializers.CharField()
    name = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class IssuedKeySerializer(KeySerializer):
    """A key just made; ``key`` is shown this once."""

    key = serializers.CharField()


class KeyList(ListView):
    """The keys of one endpoint."""

    @extend_schema(operation_id="endpoint_keys_list", responses=page_of(KeySerializer))
    def get(self, request: Request, endpoint: str) -> Response:
        """List the API keys of an endpoint; their texts are never shown again."""
        rows = queries.endpoint_keys(queries.get_endpoint(endpoint, self.actor))
        return self.page(rows, many(KeySerializer))

    @extend_schema(
        operation_id="endpoint_keys_create",
        request=NewKeySerializer,
        responses={201: IssuedKeySerializer},
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Issue an API key; its text is shown only here."""
        row = queries.get_endpoint(endpoint, self.actor)
        data: Any = self.body(NewKeySerializer)
        key, text = actions.issue_endpoint_key(row, name=data["name"], actor=self.actor)
        body = {**KeySerializer(key).data, "key": text}
        return Response(body, status=201, headers={"Cache-Control": "no-store"})


class KeyRevoke(PlacetView):
    """Ending a key."""

    @extend_schema(operation_id="endpoint_keys_revoke", request=None, responses=KeySerializer)
    def post(self, request: Request, endpoint: str, key: str) -> Response:
        """Revoke an API key: the node refuses it from its next state on."""
        rows = queries.endpoint_keys(queries.get_endpoint(endpoint, self.actor))
        row = rows.filter(pk=key).first()
        if row is None:
            raise NotFound
        return Response(KeySerializer(actions.revoke_endpoint_key(row, actor=self.actor)).data)
