"""What belongs to a project as a whole, and to none of its environments, as an actor may see it."""

from typing import TypeVar

from django.db import models

from placet.kernel.actor import Actor, Scope

M = TypeVar("M", bound=models.Model)


def visible_whole(queryset: models.QuerySet[M], actor: Actor, *, view: str) -> models.QuerySet[M]:
    """Return the rows, of the instance or of a project as a whole, that ``actor`` may see: who
    holds ``view`` in environments of a project alone sees none of it."""
    if actor.can(view):
        return queryset
    held = actor.projects_with(view) or ()
    return queryset.filter(project__in=[one for one in held if sees_whole(one, view, actor)])


def sees_whole(project: str, view: str, actor: Actor) -> bool:
    """Tell whether ``actor`` sees what :func:`visible_whole` shows of a project by its id."""
    return actor.can(view, Scope(project))
