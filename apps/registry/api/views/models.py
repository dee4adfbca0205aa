"""Registered models and their aliases."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import actions, queries
from apps.registry.api.serializers import (
    AliasSerializer,
    AliasTargetSerializer,
    ModelChangeSerializer,
    ModelSerializer,
    NewModelSerializer,
)
from apps.registry.api.views.answers import alias_tag, model_tag
from apps.registry.models import Alias, RegisteredModel
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, require_match
from placet.kernel.problems import NotFound, Stale


def model_answer(model: RegisteredModel, actor: Actor, status: int = 200) -> Response:
    """Answer with one model and its counts."""
    row = queries.with_latest(queries.models(actor).filter(pk=model.pk)).get()
    headers = {"ETag": model_tag(row)}
    if status == 201:
        headers["Location"] = f"/api/v1/projects/{row.project.slug}/models/{row.name}"
    return Response(ModelSerializer(row).data, status=status, headers=headers)


class ModelList(ListView):
    """The models of a project."""

    @extend_schema(operation_id="models_list", responses=page_of(ModelSerializer))
    def get(self, request: Request, slug: str) -> Response:
        """List the models of a project, newest first."""
        project = queries.project_for(slug, self.actor)
        rows = queries.with_latest(queries.models(self.actor, project))
        return self.page(rows, many(ModelSerializer))

    @extend_schema(
        operation_id="models_create",
        request=NewModelSerializer,
        responses={201: ModelSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Register a model."""
        project = queries.project_for(slug, self.actor, view="project.view")
        data: Any = self.body(NewModelSerializer)
        model = actions.create_model(project, **data, actor=self.actor)
        return model_answer(model, self.actor, 201)


class ModelDetail(PlacetView):
    """One model."""

    @extend_schema(operation_id="models_read", responses=ModelSerializer)
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Read a model."""
        return model_answer(queries.model_for(slug, name, self.actor), self.actor)

    @extend_schema(
        operation_id="models_update", request=ModelChangeSerializer, responses=ModelSerializer
    )
    def patch(self, request: Request, slug: str, name: str) -> Response:
        """Change a model's description. Needs If-Match."""
        model = queries.model_for(slug, name, self.actor)
        data: Any = self.body(ModelChangeSerializer)
        require_match(request, model_tag(model))
        actions.edit_model(model, **data, actor=self.actor, if_revision=model.revision)
        return model_answer(model, self.actor)


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
        found = self._find(queries.model_for(slug, name, self.actor), alias)
        if found is None:
            raise NotFound
        return self._answer(found)

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
        found = self._find(model, alias)
        if found is not None:
            require_match(self.request, alias_tag(found))
        elif "If-Match" in self.request.headers:
            raise Stale
        return found

    def _answer(self, alias: Alias, status: int = 200) -> Response:
        headers = {"ETag": alias_tag(alias)}
        return Response(AliasSerializer(alias).data, status=status, headers=headers)
