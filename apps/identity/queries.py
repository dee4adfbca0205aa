"""The only ways in: ``authorize`` for what an actor does, ``visible`` for what he reads."""

from typing import Protocol, TypeVar

from django.db import models

from placet.kernel.actor import INSTANCE, Actor, Scope
from placet.kernel.problems import Forbidden, NotFound

M = TypeVar("M", bound=models.Model)


class Scoped(Protocol):
    """A row that knows where it belongs."""

    def project_scope(self) -> str | None:
        """Return the project id."""

    def environment_scope(self) -> str | None:
        """Return the environment's name."""


def scope_of(row: Scoped | None) -> Scope:
    """Return the scope of ``row``; ``None`` stands for the instance."""
    if row is None:
        return INSTANCE
    return Scope(row.project_scope(), row.environment_scope())


def authorize(actor: Actor, action: str, row: Scoped | None, *, view: str = "project.view") -> None:
    """Let ``actor`` do ``action`` (a permission name) to ``row``, or raise.

    Raises :class:`NotFound` when the actor may not even see it (``view`` is not held there) and
    :class:`Forbidden` when he sees it but may not do this.
    """
    scope = scope_of(row)
    if actor.can(action, scope):
        return
    if row is not None and not actor.can(view, scope):
        # an environment grant lets one see the project it stands in
        raise NotFound
    raise Forbidden(f"This needs the permission {action}")


def visible(
    queryset: models.QuerySet[M], actor: Actor, *, view: str = "project.view", project: str = "project"
) -> models.QuerySet[M]:
    """Return the rows of ``queryset`` that ``actor`` may see.

    ``project`` is the lookup path to the project id. Who holds ``view`` in any environment of a
    project sees that project.
    """
    projects = actor.projects_with(view)
    if projects is None:
        return queryset
    return queryset.filter(**{f"{project}__in": projects})
