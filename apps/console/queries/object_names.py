"""What the ids in events are called and where they have a page, for who may see what they name."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import CharField, Exists, F, Model, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Coalesce, Concat, NullIf
from django.urls import reverse

from apps.audit.models import Event
from apps.audit.queries.events_about import row_said
from apps.builds.models import Build
from apps.console.queries.links import person_url
from apps.governance.models import BreakGlass, Environment, PolicyRevision, Release
from apps.identity.events import TEAM_CREATED
from apps.identity.models import NAMELESS, Project, ServiceAccount, Team, User
from apps.identity.queries import visible
from apps.registry.models import Alias, ModelVersion, RegisteredModel
from apps.rollouts.models import Rollout
from apps.serving.models import Endpoint, Node, Revision, Target
from placet.kernel.actor import SYSTEM, Actor

# What a person is called to who may see no address, as ``User.public_name`` has it.
PUBLIC = Coalesce(NullIf("name", Value("")), Value(NAMELESS), output_field=CharField())
CHILDREN = {  # rows without a name of their own, by the beginning of their ids: "SLO of churn"
    "abs": "absence",
    "alr": "alert",
    "als": "alias",
    "dec": "decision",
    "drl": "rollback test",
    "drs": "rollback test schedule",
    "epk": "API key",
    "era": "erasure",
    "evd": "evidence",
    "frz": "freeze",
    "obj": "SLO",
    "pas": "request to pass over analyses",
    "pre": "pre-loaded build",
    "rcl": "recall",
    "rol": "role",
    "rrq": "review request",
    "tmm": "team member",
    "tok": "API token",
    "upl": "upload",
}


@dataclass(frozen=True, slots=True)
class Named:
    """What something is called, and its page: the name of a route and what stands in it."""

    name: str
    route: str = ""
    place: str = ""  # as in an address: ``risk/churn/3``

    @property
    def url(self) -> str:
        """The address of its page, '' where it has none."""
        return reverse(self.route, args=self.place.split("/")) if self.route else ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that have names. ``called`` and ``place`` are columns, and texts behind a ``=``."""

    model: type[Model]
    called: tuple[str, ...]
    route: str = ""
    place: tuple[str, ...] = ("pk",)
    view: str = "project.view"
    project: str = "project"

    def rows(self, actor: Actor) -> QuerySet[Any]:
        """Return the rows that ``actor`` may see."""
        every: QuerySet[Any] = self.model._default_manager.all()
        if self.model is Target:
            return every if actor.can(self.view) else every.none()
        return visible(every, actor, view=self.view, project=self.project)


def _version(path: str) -> tuple[str, ...]:
    return f"{path}model__name", "=:", f"{path}number"


TABLES = {
    "prj": Table(Project, ("name",), "project", ("slug",), project="pk"),
    "env": Table(
        Environment, ("name",), "environment", ("project__slug", "=/", "name"), "policy.view"
    ),
    "pol": Table(
        PolicyRevision,
        ("=policy revision ", "number", "= of ", "environment__name"),
        *("policy", ("project__slug", "=/", "environment__name", "=/", "number"), "policy.view"),
    ),
    "mdl": Table(
        RegisteredModel, ("name",), "model", ("project__slug", "=/", "name"), "model.view"
    ),
    "ver": Table(
        ModelVersion,
        _version(""),
        *("version", ("model__project__slug", "=/", "model__name", "=/", "number"), "model.view"),
    ),
    "als": Table(
        Alias,
        ("=alias ", "name", "= of ", "model__name"),
        "version",
        ("model__project__slug", "=/", "model__name", "=/", "version__number"),
        "version.view",
    ),
    "bld": Table(Build, ("=build of ", *_version("version__")), "build", view="model.view"),
    "rel": Table(
        Release,
        ("=release ", "number", "= of ", *_version("version__"), "= at ", "endpoint__name"),
        *("release", ("pk",), "release.view"),
    ),
    "bgl": Table(
        BreakGlass,
        ("=emergency release of release ", "release__number", "= at ", "release__endpoint__name"),
        *("glass", ("pk",), "release.view"),
    ),
    "end": Table(Endpoint, ("name", "= in ", "environment"), "endpoint", view="endpoint.view"),
    "rev": Table(
        Revision,
        ("=revision ", "number", "= of ", "endpoint__name"),
        *("endpoint-revisions", ("endpoint",), "endpoint.view"),
    ),
    "rlo": Table(
        Rollout,
        ("=rollout of release ", "release__number", "= at ", "endpoint__name"),
        *("rollout", ("pk",), "rollout.view"),
    ),
    "tgt": Table(Target, ("name",), "target", ("name",), "target.view"),
}


def object_names(
    ids: Iterable[str], actor: Actor, *, actors: Iterable[str] = ()
) -> dict[str, Named]:
    """Return the names of those of ``ids`` that name something ``actor`` may see, and of everybody
    of ``actors`` (one query, none where there is nothing to ask)."""
    who = set(actors)
    parts = [*_objects(set(ids), actor), *_actors(who, actor)]
    names = {one: Named("a deleted team") for one in who if one.startswith("tem_")}
    names |= {SYSTEM.id: Named(SYSTEM.label)} if SYSTEM.id in who else {}
    if parts:
        found = parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]
        names |= {pk: Named(called, route, place) for pk, called, route, place in found}
    return names | {pk: _with_page(pk, one, actor) for pk, one in names.items() if not one.route}


def _with_page(pk: str, named: Named, actor: Actor) -> Named:
    """Return a person with their page, for who may open that."""
    return replace(named, route="person", place=pk) if person_url(pk, actor) else named


def _objects(ids: set[str], actor: Actor) -> list[QuerySet[Any]]:
    parts = []
    for prefix, table in TABLES.items():
        if wanted := [one for one in ids if one.startswith(f"{prefix}_")]:
            rows = table.rows(actor).filter(pk__in=wanted)
            parts.append(_named(rows, _joined(table.called), table.route, _joined(table.place)))
    return parts


def _actors(ids: set[str], actor: Actor) -> list[QuerySet[Any]]:
    """Return who acts, and the teams of who does, by name: who may read what they did may know
    that, and no address."""
    team = ("team", Cast("pk", CharField())) if actor.can("access.view") else ()
    every: tuple[tuple[str, QuerySet[Any], Any, tuple[Any, ...]], ...] = (
        ("per_", User.objects.all(), PUBLIC, ()),
        ("svc_", ServiceAccount.objects.all(), _joined(("name",)), ()),
        ("tem_", Team.objects.all(), _joined(("name",)), team),
        ("nod_", Node.objects.all(), _joined(("=node ", "target__name")), ()),
    )
    parts = [
        _named(rows.filter(pk__in=wanted), called, *page)
        for prefix, rows, called, page in every
        if (wanted := [one for one in ids if one.startswith(prefix)])
    ]
    teams = [one for one in ids if one.startswith("tem_")]
    return [*parts, _deleted_teams(teams)] if teams else parts


def _deleted_teams(ids: list[str]) -> QuerySet[Any]:
    """Return the teams that are gone by the name that the log has of them, while it is not in an
    archive."""
    made = Event.objects.filter(kind=TEAM_CREATED.name, subject__in=ids)
    gone = made.filter(~Exists(Team.objects.filter(pk=OuterRef("subject"))))
    name = Cast(row_said(Team, "name"), CharField())
    called = Concat(name, Value(" (deleted team)"), output_field=CharField())
    return _named(gone, called, pk="subject")


def _named(
    rows: QuerySet[Any], called: Any, route: str = "", place: Any = None, pk: str = "pk"
) -> QuerySet[Any]:
    text = {"output_field": CharField()}
    named: QuerySet[Any] = rows.order_by().values_list(
        Cast(pk, CharField()), called, Value(route, **text), place or Value("", **text)
    )
    return named


def _joined(parts: Iterable[str]) -> Any:
    """Join columns, and texts that begin with ``=``."""
    texts = [
        Value(part[1:]) if part.startswith("=") else Cast(F(part), CharField()) for part in parts
    ]
    return Concat(*texts, output_field=CharField()) if len(texts) > 1 else texts[0]
