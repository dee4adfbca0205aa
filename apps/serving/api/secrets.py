"""Secrets of an environment. Their values come in, and never go out."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.queries import project_by_slug
from apps.serving import actions, hooks, queries
from apps.serving.api.fields import NAME
from apps.serving.models import Secret
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.clock import rfc3339
from placet.kernel.problems import NotFound
from placet_verify.permit.named_secrets import MAX_SECRET_BYTES


class NewValueSerializer(serializers.Serializer[Any]):
    """Another value of a secret."""

    value = serializers.CharField(
        max_length=MAX_SECRET_BYTES,
        trim_whitespace=False,
        write_only=True,
        help_text=f"Text of 1 to {MAX_SECRET_BYTES:,} bytes; it is never shown again",
    )


class NewSecretSerializer(NewValueSerializer):
    """A secret, by its name, and its value."""

    name = serializers.RegexField(NAME, max_length=60)


class SecretVersionSerializer(serializers.Serializer[Any]):
    """That a secret was given a value, and what became of it."""

    number = serializers.IntegerField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    revoked_by = serializers.CharField(help_text="'' unless it was revoked")
    revoked_at = serializers.DateTimeField(allow_null=True)


class SecretSerializer(serializers.Serializer[Any]):
    """A secret of an environment, without any value."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField(
        allow_null=True, help_text="Which is in use; null when it was revoked"
    )
    versions = SecretVersionSerializer(many=True, help_text="The newest first")
    created_at = serializers.DateTimeField()


def secret_body(secret: Any) -> dict[str, Any]:
    """Return a secret with its ``set_versions``."""
    versions = secret.set_versions
    newest = versions[0] if versions and versions[0].revoked_at is None else None
    return {
        "id": secret.pk,
        "project": secret.project.slug,
        "environment": secret.environment,
        "name": secret.name,
        "version": newest.number if newest else None,
        "versions": SecretVersionSerializer(versions, many=True).data,
        "created_at": rfc3339(secret.created_at),
    }


class SecretList(ListView):
    """The secrets of one environment."""

    @extend_schema(operation_id="secrets_list", responses=page_of(SecretSerializer))
    def get(self, request: Request, slug: str, environment: str) -> Response:
        """List the secrets of an environment by their names; values are never shown."""
        project = project_by_slug(slug, self.actor)
        if not any(hooks.has_environment(project.pk, environment)):
            raise NotFound
        rows = queries.visible_secrets(self.actor).filter(project=project, environment=environment)
        return self.page(rows, lambda page: [secret_body(row) for row in page])

    @extend_schema(
        operation_id="secrets_set", request=NewSecretSerializer, responses={201: SecretSerializer}
    )
    def post(self, request: Request, slug: str, environment: str) -> Response:
        """Set the value of a secret: its first, or its next version. Replicas that use it are
        started anew with it."""
        project = project_by_slug(slug, self.actor)
        data: Any = self.body(NewSecretSerializer)
        version = actions.set_secret(project, environment=environment, actor=self.actor, **data)
        return self._answer(version.secret_id)

    def _answer(self, secret: str) -> Response:
        body = secret_body(queries.get_secret(secret, self.actor))
        return Response(body, status=201, headers={"Location": f"/api/v1/secrets/{secret}"})


class SecretDetail(PlacetView):
    """One secret."""

    @extend_schema(operation_id="secrets_read", responses=SecretSerializer)
    def get(self, request: Request, secret: str) -> Response:
        """Read a secret: its versions, and none of its values."""
        return Response(secret_body(queries.get_secret(secret, self.actor)))


class SecretRotate(PlacetView):
    """Another value."""

    @extend_schema(
        operation_id="secrets_rotate", request=NewValueSerializer, responses=SecretSerializer
    )
    def post(self, request: Request, secret: str) -> Response:
        """Set the next version of a secret: replicas that use it are started anew with it."""
        row: Secret = queries.get_secret(secret, self.actor)
        data: Any = self.body(NewValueSerializer)
        actions.set_secret(
            row.project,
            environment=row.environment,
            name=row.name,
            value=data["value"],
            actor=self.actor,
        )
        return Response(secret_body(queries.get_secret(secret, self.actor)))


class SecretRevoke(PlacetView):
    """Ending a value."""

    @extend_schema(operation_id="secrets_revoke", request=None, responses=SecretSerializer)
    def post(self, request: Request, secret: str) -> Response:
        """Revoke a secret that nothing uses: its value is forgotten, its name stays."""
        actions.revoke_secret(queries.get_secret(secret, self.actor), actor=self.actor)
        return Response(secret_body(queries.get_secret(secret, self.actor)))
