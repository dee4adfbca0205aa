"""The keys whose signatures over models a project trusts."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import actions, queries
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.serializers import Serializer
from placet.kernel.api.views import PlacetView


class SigningKeySerializer(Serializer):
    """A key whose signatures over models a project trusts."""

    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    fingerprint = serializers.CharField()
    pem = serializers.CharField()
    valid_until = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_by = serializers.CharField()


class NewSigningKeySerializer(Serializer):
    """A key to be trusted."""

    label = serializers.CharField()  # type: ignore[assignment]
    pem = serializers.CharField()
    valid_until = serializers.DateTimeField(required=False, allow_null=True)


class SigningKeyList(ListView):
    """The model signing keys of a project."""

    @extend_schema(operation_id="signing_keys_list", responses=page_of(SigningKeySerializer))
    def get(self, request: Request, slug: str) -> Response:
        """List the model signing keys that a project trusts, newest first, revoked ones too."""
        project = queries.project_for(slug, self.actor, view="project.view")
        rows = queries.signing_keys(project, self.actor)
        return self.page(rows, many(SigningKeySerializer))

    @extend_schema(
        operation_id="signing_keys_create",
        request=NewSigningKeySerializer,
        responses={201: SigningKeySerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Trust a key: a ``model.sig`` by it counts from now on."""
        project = queries.project_for(slug, self.actor, view="project.view")
        data: Any = self.body(NewSigningKeySerializer)
        key = actions.trust_signing_key(project, **data, actor=self.actor)
        return Response(SigningKeySerializer(key).data, status=201)


class SigningKeyRevoke(PlacetView):
    """Ending the trust in a key."""

    @extend_schema(operation_id="signing_keys_revoke", request=None, responses=SigningKeySerializer)
    def post(self, request: Request, slug: str, signing_key: str) -> Response:
        """Revoke a key: nothing that it signed passes a gate any more."""
        project = queries.project_for(slug, self.actor, view="project.view")
        row = queries.signing_key_for(project, signing_key, self.actor)
        key = actions.revoke_signing_key(row, actor=self.actor)
        return Response(SigningKeySerializer(key).data)
