"""Freezes that somebody may see, and whether one holds."""

from datetime import datetime

from django.db.models import Q, QuerySet

from apps.governance.models import Environment, Freeze
from apps.identity.queries import visible
from placet.kernel.actor import Actor


def freezes(environment: Environment, actor: Actor) -> QuerySet[Freeze]:
    """Return an environment's freezes, lifted ones too."""
    return visible(
        Freeze.objects.filter(environment=environment).select_related("environment__project"), actor
    )


def frozen(project: str, environment: str, at: datetime) -> bool:
    """Tell whether an environment of a project, by its name, is frozen at that time."""
    rows = Freeze.objects.filter(in_force(at), environment__name=environment, project=project)
    return rows.exists()


def in_force(at: datetime) -> Q:
    """Return the condition under which a freeze holds at that time."""
    begun = Q(lifted_at=None, starts_at__lte=at)
    return begun & (Q(ends_at=None) | Q(ends_at__gt=at))
