"""The targets that a new endpoint may stand on, as the form that requests a release offers them."""

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, QuerySet

from apps.governance.models import Environment
from apps.serving.models import TargetUse
from apps.serving.queries import visible_targets
from apps.serving.uses import covering
from placet.kernel.actor import Actor


def with_targets(environments: QuerySet[Environment], actor: Actor) -> QuerySet[Environment, Any]:
    """Read along of each environment the names of the targets that a new endpoint may stand on."""
    listing = TargetUse.objects.filter(
        covering(OuterRef("environment__name")),
        target=OuterRef("target"),
        project=OuterRef("environment__project"),
    )
    links = Environment.targets.through.objects.filter(
        Exists(listing), environment=OuterRef("pk"), target__in=visible_targets(actor)
    )
    names = links.order_by("target__name").values("target__name")
    return environments.annotate(offered_targets=ArraySubquery(names))


def targets_of(environments: Iterable[Any]) -> dict[str, list[str]]:
    """Return the targets by name, each with the ``environments`` that run there, in their order;
    they were read by :func:`with_targets`."""
    offered: dict[str, list[str]] = {}
    for environment in environments:
        for target in environment.offered_targets:
            offered.setdefault(target, []).append(environment.name)
    return dict(sorted(offered.items()))
