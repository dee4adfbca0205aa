"""Registered models."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.registry import actions, queries
from apps.registry.models import RegisteredModel, VersionState
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.serializers import Serializer
from placet.kernel.api.views import PlacetView, etag


class ModelSerializer(Serializer):
    """A named model."""

    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    name = serializers.CharField()
    description = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    version_count = serializers.IntegerField()
    latest_number = serializers.IntegerField(allow_null=True)
    latest_state = serializers.ChoiceField(choices=VersionState.values, allow_null=True)


class NewModelSerializer(Serializer):
    """A model to be registered."""

    name = serializers.CharField(max_length=80)
    description = serializers.CharField(required=False, allow_blank=True)


class ModelChangeSerializer(Serializer):
    """What may change about a model."""

    description = serializers.CharField(allow_blank=True)


def model_tag(model: RegisteredModel) -> str:
    """Return the ETag of a model."""
    return etag(model.pk, model.revision)


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
        match_for("model.edit", model, model_tag(model), asked=self, see="model.view")
        actions.edit_model(model, **data, actor=self.actor, if_revision=model.revision)
        return model_answer(model, self.actor)
