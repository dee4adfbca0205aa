"""Projects."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.matching import match_for
from apps.identity.models import Project
from apps.identity.queries import project_by_slug, visible
from apps.identity.rules import MOST_BYTES
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag


class ProjectSerializer(serializers.Serializer[Any]):
    """The scope of models and roles."""

    id = serializers.CharField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    artifact_quota = serializers.IntegerField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


def quota_field() -> serializers.IntegerField:
    """Return the field of a storage quota."""
    return serializers.IntegerField(
        min_value=0,
        max_value=MOST_BYTES,
        required=False,
        help_text="Most bytes that files of versions may take; 0 is no limit",
    )


class NewProjectSerializer(serializers.Serializer[Any]):
    """A project to be made."""

    slug = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    artifact_quota = quota_field()
    template = serializers.CharField(
        max_length=60,
        required=False,
        help_text="The policies that its environments start with: internal, customer-facing "
        "(unless another is named) or regulated. A token may only use customer-facing",
    )


class ProjectChangeSerializer(serializers.Serializer[Any]):
    """What may change about a project."""

    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    artifact_quota = quota_field()


def tag(project: Project) -> str:
    """Return the ETag of a project."""
    return etag(project.pk, project.version)


def answer(project: Project, status: int = 200) -> Response:
    """Answer with one project."""
    headers = {"ETag": tag(project)}
    if status == 201:
        headers["Location"] = f"/api/v1/projects/{project.slug}"
    return Response(ProjectSerializer(project).data, status=status, headers=headers)


class ProjectList(ListView):
    """The projects one sees."""

    @extend_schema(operation_id="projects_list", responses=page_of(ProjectSerializer))
    def get(self, request: Request) -> Response:
        """List the projects you see, newest first."""
        rows = visible(Project.objects.all(), self.actor, project="pk")
        return self.page(rows, many(ProjectSerializer))

    @extend_schema(
        operation_id="projects_create",
        request=NewProjectSerializer,
        responses={201: ProjectSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a project with development, staging and production."""
        data: Any = self.body(NewProjectSerializer)
        return answer(actions.create_project(**data, actor=self.actor), 201)


class ProjectDetail(PlacetView):
    """One project."""

    @extend_schema(operation_id="projects_read", responses=ProjectSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Read a project."""
        return answer(project_by_slug(slug, self.actor))

    @extend_schema(
        operation_id="projects_update",
        request=ProjectChangeSerializer,
        responses=ProjectSerializer,
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change a project's name, description or storage quota. Needs If-Match."""
        project = project_by_slug(slug, self.actor)
        data: Any = self.body(ProjectChangeSerializer)
        match_for("project.edit", project, tag(project), asked=self)
        changed = actions.update_project(project, version=project.version, actor=self.actor, **data)
        return answer(changed)
