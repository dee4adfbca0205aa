"""The search for people and teams, and by id for recalls, builds and policies."""

from typing import Any

from django.db.models import CharField, Q, QuerySet, Value
from django.db.models.functions import Coalesce, NullIf
from django.urls import reverse

from apps.assurance.queries import visible_recalls
from apps.assurance.queries.visible_recalls import person_recalled
from apps.builds.models import Build
from apps.console.queries.recall_items import item_link, recalled_item
from apps.console.queries.search_terms import MOST, Hit, SearchTerms
from apps.console.templatetags.placet import state_word
from apps.governance.models import PolicyRevision
from apps.identity.models import Team, User
from apps.identity.queries import visible, visible_roles
from apps.registry.queries import large_of
from placet.kernel.actor import Actor

BINDINGS = 20 * MOST  # roles that are looked through for those who hold them


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
    called = Coalesce(NullIf("name", Value("")), "email", output_field=CharField())
    team = Value("", output_field=CharField())
    found = people.order_by("name", "pk").values_list("pk", called, "email")[:MOST]
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
            hit = Hit(kind, who.pk, str(who), f"Member of {row.project.name}", url)
            hits.setdefault(who.pk, hit)
    found = sorted(hits.values(), key=lambda hit: (hit.kind, hit.title))
    of_each = ([hit for hit in found if hit.kind == kind][:MOST] for kind in ("person", "team"))
    return [hit for some in of_each for hit in some]


def recalls(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """A recall by its id."""
    rows: Any = visible_recalls(actor).filter(pk=terms.id)
    rows = rows.annotate(item=recalled_item(), person=person_recalled())
    return [_recall(row) for row in rows]


def _recall(row: Any) -> Hit:
    item = item_link(row)
    kind = f"the decisions of {row.person}" if row.person else row.get_kind_display().lower()
    what = item.text if item else kind
    where = row.project.name if row.project else "All projects"
    detail = f"{where}, {state_word(row.state).lower()}"
    return Hit("recall", row.pk, f"Recall of {what}", detail, reverse("recall", args=[row.pk]))


def builds(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """A build by its id."""
    rows = Build.objects.select_related("version__model", "version__project")
    rows = visible(rows.defer(*large_of("version")), actor, view="version.view")
    return [_build(row) for row in rows.filter(pk=terms.id)]


def _build(row: Build) -> Hit:
    title, detail = f"Build of {row.version}", f"{row.version.project.name}, {row.state}"
    return Hit("build", row.pk, title, detail, reverse("build", args=[row.pk]))


def policies(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """A revision of a policy by its id: the page of its environment has all of them."""
    rows = PolicyRevision.objects.select_related("environment__project").defer("source", "document")
    return [_policy(row) for row in visible(rows, actor, view="policy.view").filter(pk=terms.id)]


def _policy(row: PolicyRevision) -> Hit:
    place = row.environment
    url = reverse("policies", args=[place.project.slug, place.name])
    detail = f"{place.project.name}, {row.state}"
    return Hit("policy", row.pk, f"Policy r{row.number} of {place.name}", detail, url)
