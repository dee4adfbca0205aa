"""What the ids in events are called, for who may see the things they name."""

from collections.abc import Iterable
from typing import Any

from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.urls import reverse

from apps.governance.models import Environment, PolicyRevision, Release
from apps.identity.models import Project
from apps.identity.queries import visible
from apps.registry.models import ModelVersion, RegisteredModel
from apps.rollouts.models import Rollout
from apps.serving.models import Endpoint, Revision, Target
from placet.kernel.actor import Actor

PAGES = {"rel": "release", "end": "endpoint", "rlo": "rollout"}


def object_names(ids: Iterable[str], actor: Actor) -> dict[str, str]:
    """Return the names of those of ``ids`` that name something ``actor`` may see (one query)."""
    wanted = set(ids)
    if not wanted:
        return {}
    first, *others = (
        rows.filter(pk__in=wanted).order_by().values_list("pk", "called") for rows in _called(actor)
    )
    return dict(first.union(*others, all=True))


def _called(actor: Actor) -> list[QuerySet[Any]]:
    """Return every table whose rows have names, each with what a row is ``called``."""
    return [
        _named(visible(Project.objects.all(), actor, project="pk"), "name"),
        _named(visible(Environment.objects.all(), actor, view="policy.view"), "name"),
        _named(
            visible(PolicyRevision.objects.all(), actor, view="policy.view"),
            *("=policy revision ", "number", "= of ", "environment__name"),
        ),
        _named(visible(RegisteredModel.objects.all(), actor, view="model.view"), "name"),
        _named(
            visible(ModelVersion.objects.all(), actor, view="model.view"),
            *("model__name", "=:", "number"),
        ),
        _named(visible(Release.objects.all(), actor, view="release.view"), "=release ", "number"),
        _named(
            visible(Endpoint.objects.all(), actor, view="endpoint.view"),
            *("name", "= in ", "environment"),
        ),
        _named(
            visible(Revision.objects.all(), actor, view="endpoint.view"),
            *("=revision ", "number", "= of ", "endpoint__name"),
        ),
        _named(
            visible(Rollout.objects.all(), actor, view="rollout.view"),
            *("=rollout of release ", "release__number"),
        ),
        _named(Target.objects.all() if actor.can("target.view") else Target.objects.none(), "name"),
    ]


def _named(rows: QuerySet[Any], *parts: str) -> QuerySet[Any]:
    """Name rows by columns, and by texts that begin with ``=``."""
    texts = [
        Value(part[1:]) if part.startswith("=") else Cast(F(part), CharField()) for part in parts
    ]
    called = Concat(*texts, output_field=CharField()) if len(texts) > 1 else texts[0]
    named: QuerySet[Any] = rows.annotate(called=called)
    return named


def url_of(object_id: str) -> str:
    """Return the page of what an id names, '' where there is none by id alone."""
    name = PAGES.get(object_id.partition("_")[0])
    return reverse(name, args=[object_id]) if name else ""
