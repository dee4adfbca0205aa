"""The search for people and teams, and for recalls, builds and policies."""

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Concat, NullIf
from django.urls import reverse

from apps.assurance.models import RecallKind
from apps.assurance.queries import visible_recalls
from apps.builds.models import Bento, Build
from apps.console.queries.members import holder_name
from apps.console.queries.object_names import PUBLIC
from apps.console.queries.search_terms import LEAST, MOST, Hit, SearchTerms
from apps.console.templatetags.placet import state_word
from apps.governance.models import PolicyRevision
from apps.governance.rules import PolicyState
from apps.identity.models import Team, User
from apps.identity.queries import visible, visible_roles
from apps.registry.models import ModelVersion
from apps.registry.queries import models
from placet.kernel.actor import Actor

BINDINGS = 20 * MOST  # roles that are looked through for those who hold them
CALLED = Coalesce(NullIf("name", Value("")), "email", output_field=CharField())
COLUMNS = ("hit", "pk", "says", "stands", "where", "slug", "env")
ORDER = ("recall", "build", "policy")
NOBODY = "a person's decisions"


def people_and_teams(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """People by name or address, and teams by name, for who administers or audits access; for who
    does so in a project those whom its members page names, which is where they are led."""
    if terms.model or not actor.can_somewhere("access.view"):
        return []
    return _everybody(terms) if actor.can("access.view") else _members(terms, actor)


def _everybody(terms: SearchTerms) -> list[Hit]:
    """Look in one query for both."""
    people = _called(User.objects.all(), terms, "name", "email")
    teams = _called(Team.objects.all(), terms, "name")
    team = Value("", output_field=CharField())
    found = people.order_by("name", "pk").values_list("pk", CALLED, "email")[:MOST]
    named = teams.order_by("name", "pk").values_list("pk", "name", team)[:MOST]
    hits = [_person_or_team(*row) for row in found.union(named, all=True)]
    return sorted(hits, key=lambda hit: (hit.kind, hit.title))


def _called(rows: QuerySet[Any], terms: SearchTerms, *fields: str) -> QuerySet[Any]:
    """Leave those with the id, or with each word in one of ``fields``."""
    if terms.id:
        return rows.filter(pk=terms.id)
    for word in terms.words:
        matching = Q(pk__in=[])
        for field in fields:
            matching |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(matching)
    return rows


def _person_or_team(pk: str, name: str, detail: str) -> Hit:
    kind = "person" if pk.startswith("per_") else "team"
    return Hit(kind, pk, name, detail, reverse(kind, args=[pk]))


def _members(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """Look in the roles that the members pages list, which name no address."""
    held = visible_roles(actor).exclude(project=None)
    people = _called(held.exclude(person=None), terms, "person__name")
    teams = _called(held.exclude(team=None), terms, "team__name")
    if terms.id:
        people, teams = held.filter(person=terms.id), held.filter(team=terms.id)
    hits: dict[str, Hit] = {}
    for row in (people | teams).order_by("project__slug", "pk")[:BINDINGS]:
        who, kind = (row.person, "person") if row.person else (row.team, "team")
        if who and row.project:
            url = reverse("members", args=[row.project.slug])
            called = holder_name(row)
            hit = Hit(kind, who.pk, called, f"Member of {row.project.name}", url)
            hits.setdefault(who.pk, hit)
    found = sorted(hits.values(), key=lambda hit: (hit.kind, hit.title))
    of_each = ([hit for hit in found if hit.kind == kind][:MOST] for kind in ("person", "team"))
    return [hit for some in of_each for hit in some]


def recalls_builds_and_policies(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """Recalls by the person or the version that was recalled, builds by their model, and the
    policies that are active or drafts by environment and title; each also by its id. One query."""
    if terms.digest or terms.alias or (not terms.id and len(terms.model or terms.text) < LEAST):
        return []
    parts = [
        _named(rows, terms).order_by("-pk")[:MOST]
        for rows in (_recalls(actor), _builds(terms, actor), _policies(terms, actor))
    ]
    hits = [_hit(*row) for row in parts[0].union(*parts[1:], all=True)]
    return sorted(hits, key=lambda hit: ORDER.index(hit.kind))


def _named(rows: QuerySet[Any, Any], terms: SearchTerms) -> QuerySet[Any, Any]:
    """Leave those with the id, of the version that is referred to, or with each word in what they
    say; of several words each may be in the name of their project too."""
    told: QuerySet[Any, Any] = rows.values_list(*COLUMNS)
    if terms.id:
        return told.filter(pk=terms.id)
    if terms.model:
        whole = terms.number is not None
        wanted = f"{terms.model}:{terms.number}" if whole else f"{terms.model}:"
        told = told.filter(**{"says" if whole else "says__startswith": wanted})
        return told.filter(slug=terms.project) if terms.project else told
    several = terms.words[1:]
    for word in terms.words:
        said = Q(says__icontains=word)
        told = told.filter(said | Q(where__icontains=word) if several else said)
    return told


def _told(rows: QuerySet[Any], hit: str, says: Any, **columns: Any) -> QuerySet[Any, Any]:
    """Have rows say what of them is a hit: all in texts, so that one query brings all kinds."""
    columns = {"where": F("project__name"), "slug": F("project__slug"), "env": Value("")} | columns
    texts = {name: Cast(column, TextField()) for name, column in columns.items()}
    texts["says"] = Cast(says, TextField())
    told: QuerySet[Any, Any] = rows.annotate(hit=Value(hit), stands=F("state"), **texts)
    return told


def _version(path: str = "") -> Concat:
    """Return the expression for how people call a version: ``churn:3``."""
    number = Cast(f"{path}number", TextField())
    return Concat(f"{path}model__name", Value(":"), number, output_field=TextField())


def _recalls(actor: Actor) -> QuerySet[Any, Any]:
    """The recalls that ``actor`` may see, as their pages call what was recalled."""
    own = ModelVersion.objects.filter(pk=OuterRef("what")).annotate(called=_version())
    built = Bento.objects.filter(pk=OuterRef("what")).annotate(called=_version("version__"))
    people = User.objects.filter(pk=OuterRef("what"))
    whose = Concat(PUBLIC, Value("'s decisions"), output_field=TextField())
    people = people.annotate(called=whose)
    parts = (Subquery(rows.values("called")[:1]) for rows in (own, built, people))
    other = Case(When(kind=RecallKind.PERSON, then=Value(NOBODY)), default=F("kind"))
    says = Coalesce(*parts, other, output_field=TextField())
    return _told(visible_recalls(actor), "recall", says)


def _builds(terms: SearchTerms, actor: Actor) -> QuerySet[Any, Any]:
    """The builds of the few models that are meant, for there are many; by an id any."""
    rows = visible(Build.objects.all(), actor, view="version.view")
    if not terms.id:
        words = [terms.model] if terms.model else terms.words
        few = models(actor).filter(reduce(or_, (Q(name__contains=word) for word in words)))
        rows = rows.filter(version__model__in=few.order_by("name", "pk").values("pk")[:MOST])
    return _told(rows, "build", _version("version__"))


def _policies(terms: SearchTerms, actor: Actor) -> QuerySet[Any, Any]:
    """The policies that are active or may be; by an id any revision."""
    rows = visible(PolicyRevision.objects.all(), actor, view="policy.view")
    if not terms.id:
        later = PolicyRevision.objects.filter(environment=OuterRef("environment"))
        later = later.filter(state=PolicyState.PUBLISHED, number__gt=OuterRef("number"))
        rows = rows.filter(~Exists(later), state__in=(PolicyState.DRAFT, PolicyState.PUBLISHED))
    number = Cast("number", TextField())
    parts = (Value("Policy r"), number, Value(" of "), "environment__name")
    says = Concat(*parts, output_field=TextField())
    return _told(rows, "policy", says, env=F("environment__name"))


def _hit(kind: str, pk: str, says: str, state: str, where: str, slug: str, env: str) -> Hit:
    if kind == "recall":
        detail = f"{where or 'All projects'}, {state_word(state).lower()}"
        return Hit(kind, pk, f"Recall of {says}", detail, reverse("recall", args=[pk]))
    if kind == "build":
        url = reverse("build", args=[pk])
        return Hit(kind, pk, f"Build of {says}", f"{where}, {state}", url)
    return Hit(kind, pk, says, f"{where}, {state}", reverse("policies", args=[slug, env]))
