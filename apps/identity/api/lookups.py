"""Finding what a request body names, without telling strangers what exists."""

from typing import Any, TypeVar

from django.db import models

from apps.identity.models import Project, ServiceAccount, Team, User
from apps.identity.queries import visible
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission, NotFound

M = TypeVar("M", bound=models.Model)


def one(rows: models.QuerySet[M], pk: str) -> M:
    """Return the row that the path names, or raise ``NotFound``."""
    row = rows.filter(pk=pk).first()
    if row is None:
        raise NotFound
    return row


def access_manager(actor: Actor) -> None:
    """Refuse whoever manages access nowhere, before anything is looked up."""
    if not actor.can_somewhere("access.manage"):
        raise NeedsPermission(actor, "access.manage", scope=None)


def named(model: type[M], field: str, pk: str | None) -> M | None:
    """Return the row that ``field`` of the body names by id; ``None`` when it names none."""
    if pk is None:
        return None
    row = model._default_manager.filter(pk=pk).first()
    if row is None:
        raise InvalidInput(errors=[FieldError(f"/{field}", "There is none with this id")])
    return row


def named_project(slug: str | None, actor: Actor) -> Project | None:
    """Return the project that the body names by slug, among those the actor sees."""
    if slug is None:
        return None
    project = visible(Project.objects.filter(slug=slug), actor, project="pk").first()
    if project is None:
        raise InvalidInput(errors=[FieldError("/project", "There is none with this slug")])
    return project


def subject(data: dict[str, Any]) -> dict[str, Any]:
    """Take person, team and service_account out of ``data`` and return the rows they name."""
    rows = {
        "person": named(User, "person", data.pop("person", None)),
        "team": named(Team, "team", data.pop("team", None)),
        "service_account": named(
            ServiceAccount, "service_account", data.pop("service_account", None)
        ),
    }
    return {name: row for name, row in rows.items() if row is not None}
