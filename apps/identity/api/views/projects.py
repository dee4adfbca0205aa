"""Projects, and who is asking."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.serializers import (
    NewProjectSerializer,
    ProjectChangeSerializer,
    ProjectSerializer,
    WhoamiSerializer,
)
from apps.identity.models import Project
from apps.identity.queries import project_by_slug, visible
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag, require_match


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
        """Make a project with its default environments."""
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
        require_match(request, tag(project))
        changed = actions.update_project(project, version=project.version, actor=self.actor, **data)
        return answer(changed)


class Whoami(PlacetView):
    """Who is asking."""

    @extend_schema(operation_id="whoami", responses=WhoamiSerializer)
    def get(self, request: Request) -> Response:
        """Say who you are to Placet and what you may do."""
        actor = self.actor
        grants = sorted(
            (g.permission, g.scope.project or "", g.scope.environment or "", g.role)
            for g in actor.grants
        )
        body = {
            "kind": actor.kind,
            "id": actor.id,
            "name": actor.label,
            "accountable": actor.accountable,
            "token": actor.token,
            "second_factor": actor.mfa,
            "grants": [
                {"permission": p, "project": j or None, "environment": e or None, "role": r}
                for p, j, e, r in grants
            ],
        }
        return Response(body)
