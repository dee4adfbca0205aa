"""What filters of lists name: projects by slug, and what is in them by name."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Model, QuerySet

from apps.governance.models import Environment
from apps.identity.models import Project
from apps.identity.queries import known_projects
from apps.registry.models import RegisteredModel
from apps.serving.models import Endpoint
from placet.kernel.actor import Actor

IN_PROJECT: Mapping[str, type[Model]] = {
    "environment": Environment,
    "model": RegisteredModel,
    "endpoint": Endpoint,
}


def has_environment(project_id: str, name: str) -> bool:
    """Tell whether a project has an environment of this name."""
    return Environment.objects.filter(project=project_id, name=name).exists()


def named(
    given: Mapping[str, str], actor: Actor, *views: str, project: Project | None = None
) -> dict[str, QuerySet[Any]]:
    """Return by filter the rows that are called as ``given``, for
    :func:`placet.kernel.filters.refuse_unknown`: of projects that ``actor`` sees, or of which they
    see what is listed (by a permission in ``views``); of ``project`` alone, or of the one that is
    given beside, if there is one."""
    projects = known_projects(actor, *views)
    if project is not None:
        projects = projects.filter(pk=project.pk)
    elif slug := given.get("project"):
        projects = projects.filter(slug=slug)
    inside = {
        name: table._default_manager.filter(name=given.get(name, ""), project__in=projects)
        for name, table in IN_PROJECT.items()
    }
    return {"project": projects, **inside}
