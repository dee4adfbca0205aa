"""Where projects, environments, people and recalls have their pages; '' for who may not open that
page. And who sees what at all."""

from urllib.parse import urlencode

from django.urls import reverse

from apps.identity.models import Project
from apps.identity.queries import Scoped, sees_in
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


def recall_url(recall: str, project: str | None, actor: Actor) -> str:
    """Return the address of a recall's page, by its id and that of its project: ``None`` for one
    that counts everywhere, which is for who sees the recalls of every project."""
    return reverse("recall", args=[recall]) if sees_in(project, "recall.view", actor) else ""


def outcome_url(recall: str) -> str:
    """Return where the log shows all that came of a recall, by its id."""
    return f"{reverse('audit')}?{urlencode({'cause': recall})}"


def sees(row: Scoped, permission: str, actor: Actor) -> bool:
    """Tell whether ``actor`` sees rows of a kind where ``row`` belongs, by the ``permission`` to
    view them: as ``visible`` shows them, so in all of a project who holds it in one environment.
    Who does not is never told that there are none."""
    return sees_in(row.project_scope(), permission, actor)
