"""Who owns the data and who wrote the code, as people declared it."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import actions, queries
from apps.registry.api.serializers import DeclarationSerializer, NewDeclarationSerializer
from apps.registry.provenance import declarations
from placet.kernel.api.lists import ListView, many, page_of

ABOUT = OpenApiParameter("about", str, description="Digest of a data set, or id of a version")


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
