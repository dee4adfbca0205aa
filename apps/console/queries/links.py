"""Where projects, environments and people have their pages; '' for who may not open that page."""

from django.urls import reverse

from apps.identity.models import Project
from placet.kernel.actor import Actor


def project_url(project: Project, actor: Actor) -> str:
    """Return the address of a project's page."""
    return reverse("project", args=[project.slug]) if sees(project, "project.view", actor) else ""


def environment_url(project: Project, name: str, actor: Actor) -> str:
    """Return the address of the page of a project's environment: who sees one sees the other."""
    seen = project_url(project, actor)
    return reverse("environment", args=[project.slug, name]) if seen else ""


def person_url(actor_id: str, actor: Actor) -> str:
    """Return the address of a person's page, '' also for the id of a program or of the system."""
    if not actor_id.startswith("per_"):
        return ""
    seen = actor_id == actor.accountable or actor.can("access.view")
    return reverse("person", args=[actor_id]) if seen else ""


def sees_access(project: Project, actor: Actor) -> bool:
    """Tell whether ``actor`` sees everybody's roles in a project, and not only their own: as
    ``visible_roles`` shows them, so who has ``access.view`` in one of its environments does."""
    return sees(project, "access.view", actor)


def sees(project: Project, permission: str, actor: Actor) -> bool:
    """Tell whether ``actor`` holds ``permission`` in a project or in an environment of it."""
    held = actor.projects_with(permission)
    return held is None or project.pk in held
