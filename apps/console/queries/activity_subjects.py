"""What the lines of a project's activity are about: the name of each thing, and its page."""

from collections.abc import Iterable
from typing import Any

from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.urls import reverse

from apps.builds.models import Build
from apps.console.queries.page_parts import Link
from apps.governance.models import Environment, Release
from apps.identity.models import Project
from apps.identity.queries import visible
from apps.registry.models import ModelVersion, RegisteredModel
from apps.rollouts.models import Rollout
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import Actor

OF_PROJECT = {"model", "version", "environment"}  # pages whose address begins with the project


def activity_subjects(ids: Iterable[str], project: Project, actor: Actor) -> dict[str, Link]:
    """Return the names and pages of those of ``ids`` that are of ``project`` and that ``actor``
    may see (one query)."""
    wanted = set(ids)
    if not wanted:
        return {}
    first, *others = (
        rows.filter(pk__in=wanted, project=project)
        .order_by()
        .values_list("pk", "called", "page", "key")
        for rows in _called(actor)
    )
    found = first.union(*others, all=True)
    return {pk: Link(called, _url(page, key, project)) for pk, called, page, key in found}


def _url(page: str, key: str, project: Project) -> str:
    args = key.split("/")
    return reverse(page, args=[project.slug, *args] if page in OF_PROJECT else args)


def _called(actor: Actor) -> list[QuerySet[Any]]:
    """Return every table whose rows events are about, each with what a row is ``called``."""
    releases = visible(Release.objects.all(), actor, view="release.view")
    rollouts = visible(Rollout.objects.all(), actor, view="rollout.view")
    endpoints = visible(Endpoint.objects.all(), actor, view="endpoint.view")
    revisions = visible(Revision.objects.all(), actor, view="endpoint.view")
    versions = visible(ModelVersion.objects.all(), actor, view="version.view")
    models = visible(RegisteredModel.objects.all(), actor, view="model.view")
    environments = visible(Environment.objects.all(), actor, view="policy.view")
    builds = visible(Build.objects.all(), actor, view="build.view")
    place = _text("endpoint__name", "= in ", "endpoint__environment")
    served = _text(*_version("bento__version__"), "= at ", "endpoint__name")
    return [
        _named(releases, _text(*_version("version__"), "= to ", "environment__name"), "release"),
        _named(rollouts, place, "rollout"),
        _named(endpoints, _text("name", "= in ", "environment"), "endpoint"),
        _named(revisions, served, "endpoint", _text("endpoint")),
        _named(versions, _text(*_version()), "version", _text("model__name", "=/", "number")),
        _named(models, _text("name"), "model", _text("name")),
        _named(environments, _text("name"), "environment", _text("name")),
        _named(builds, _text(*_version("version__")), "build"),
    ]


def _version(path: str = "") -> tuple[str, str, str]:
    return f"{path}model__name", "=:", f"{path}number"


def _text(*parts: str) -> Any:
    """Join columns, and texts that begin with ``=``."""
    texts = [Value(one[1:]) if one.startswith("=") else Cast(F(one), CharField()) for one in parts]
    return Concat(*texts, output_field=CharField()) if len(texts) > 1 else texts[0]


def _named(rows: QuerySet[Any], called: Any, page: str, key: Any = None) -> QuerySet[Any]:
    key = _text("pk") if key is None else key
    named: QuerySet[Any] = rows.annotate(called=called, page=Value(page), key=key)
    return named
