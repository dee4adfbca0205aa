"""Who owns the data and who wrote the code, as people declared it."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import actions, queries
from apps.registry.models import DeclaredFact
from apps.registry.provenance import declarations
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.serializers import Serializer

ABOUT = OpenApiParameter("about", str, description="Digest of a data set, or id of a version")


class DeclarationSerializer(Serializer):
    """Somebody said who owns a data set, or who wrote the code that trained a version."""

    id = serializers.CharField()
    fact = serializers.ChoiceField(DeclaredFact.values)
    about = serializers.CharField(help_text="Digest of the data set, or id of the version")
    person = serializers.CharField()
    declared_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewDeclarationSerializer(Serializer):
    """A declaration to be made; it stays."""

    fact = serializers.ChoiceField(DeclaredFact.values)
    about = serializers.CharField(
        max_length=71, help_text="Digest of the data set (sha256:…), or id of the version (ver_…)"
    )
    person = serializers.CharField(max_length=254, help_text="Whom it names: id or e-mail address")


class DeclarationList(ListView):
    """What was declared in a project."""

    filters = ("about",)

    @extend_schema(
        operation_id="declarations_list",
        parameters=[ABOUT],
        responses=page_of(DeclarationSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        """List who was declared to own data or to have written code, and by whom."""
        project = queries.project_for(slug, self.actor, view="version.view")
        rows = declarations(project, self.actor, request.query_params.get("about", ""))
        return self.page(rows, many(DeclarationSerializer))

    @extend_schema(
        operation_id="declarations_create",
        request=NewDeclarationSerializer,
        responses={201: DeclarationSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Declare who owns a data set, or who wrote the code that trained a version. It stays."""
        project = queries.project_for(slug, self.actor, view="project.view")
        data: Any = self.body(NewDeclarationSerializer)
        row = actions.declare(project, **data, actor=self.actor)
        return Response(DeclarationSerializer(row).data, status=201)
