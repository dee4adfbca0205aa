"""Aliases of models."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.registry import actions, queries
from apps.registry.models import Alias, RegisteredModel
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.serializers import Serializer
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.problems import NotFound


class AliasSerializer(Serializer):
    """A name that points at a version; ``managed_by`` an endpoint when releases move it."""

    name = serializers.CharField()
    version = serializers.IntegerField(source="version.number")
    version_id = serializers.CharField()
    managed_by = serializers.CharField()


class AliasTargetSerializer(Serializer):
    """The number of the version that an alias is to name."""

    version = serializers.IntegerField(min_value=1)


def alias_tag(alias: Alias) -> str:
    """Return the ETag of an alias."""
    return etag(alias.pk, alias.version_id, alias.managed_by)


class AliasList(ListView):
    """The aliases of a model."""

    @extend_schema(operation_id="aliases_list", responses=page_of(AliasSerializer))
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the aliases of a model by name."""
        model = queries.model_for(slug, name, self.actor)
        rows = queries.aliases(model, self.actor)
        return self.page(rows, many(AliasSerializer), order="name")


class AliasDetail(PlacetView):
    """One alias. Making it needs no If-Match; moving and deleting it do."""

    @extend_schema(operation_id="aliases_read", responses=AliasSerializer)
    def get(self, request: Request, slug: str, name: str, alias: str) -> Response:
        """Read which version an alias names."""
        row = self._find(queries.model_for(slug, name, self.actor), alias)
        if row is None:
            raise NotFound
        return self._answer(row)

    @extend_schema(
        operation_id="aliases_set",
        request=AliasTargetSerializer,
        responses={200: AliasSerializer, 201: AliasSerializer},
    )
    def put(self, request: Request, slug: str, name: str, alias: str) -> Response:
        """Point an alias at a version; If-Match when it exists already."""
        model = queries.model_for(slug, name, self.actor)
        number = self.body(AliasTargetSerializer)["version"]
        before = self._match(model, alias)
        row = actions.set_alias(
            model,
            name=alias,
            version=queries.version_for(slug, name, number, self.actor),
            actor=self.actor,
            if_version=before.version_id if before else "",
        )
        return self._answer(row, 200 if before else 201)

    @extend_schema(operation_id="aliases_delete", responses={204: None})
    def delete(self, request: Request, slug: str, name: str, alias: str) -> Response:
        """Delete an alias. Needs If-Match."""
        model = queries.model_for(slug, name, self.actor)
        before = self._match(model, alias)
        if before is None:
            raise NotFound
        actions.delete_alias(model, name=alias, actor=self.actor, if_version=before.version_id)
        return Response(status=204)

    def _find(self, model: RegisteredModel, alias: str) -> Alias | None:
        return queries.aliases(model, self.actor).filter(name=alias).first()

    def _match(self, model: RegisteredModel, alias: str) -> Alias | None:
        row = self._find(model, alias)
        tag = alias_tag(row) if row else None
        match_for("alias.set", model, tag, asked=self, see="model.view")
        return row

    def _answer(self, alias: Alias, status: int = 200) -> Response:
        headers = {"ETag": alias_tag(alias)}
        return Response(AliasSerializer(alias).data, status=status, headers=headers)
