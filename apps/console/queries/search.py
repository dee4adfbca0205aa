"""One search over all that has a name, a number or a digest, through the eyes of an actor."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Case, IntegerField, Model, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse

from apps.builds.models import Bento
from apps.console.queries.guide_titles import Section, sections
from apps.console.queries.release_words import listed_state, with_words
from apps.console.queries.search_others import people_and_teams, recalls_builds_and_policies
from apps.console.queries.search_terms import LEAST, MOST, SHORT_NUMBER, Hit, SearchTerms, wanted
from apps.governance.models import Environment, Release
from apps.governance.queries.visible_rows import releases
from apps.identity.models import Project
from apps.identity.queries import name_in, one_of, visible
from apps.registry.models import Alias, ModelVersion, RegisteredModel
from apps.registry.queries import LARGE, large_of, models, versions
from apps.serving.models import Endpoint, Target
from apps.serving.queries import visible_endpoints, visible_targets
from placet.kernel.actor import Actor

M = TypeVar("M", bound=Model)
AROUND = 30  # letters of a reason that are shown before what was found in it
OF_PROJECT = ("project__name", "project__slug")
REASONS = 10_000  # of releases, the newest, that are looked through


def search(text: str, actor: Actor) -> list[Hit]:
    """Return what ``actor`` may see and ``text`` names, at most ten of each kind, best first."""
    terms = wanted(text)
    if not terms.text:
        return []
    if terms.id:
        find = BY_ID.get(terms.id[:3])
        return find(terms, actor) if find else []
    hits: list[Hit] = []
    for find in FINDERS:
        hits += find(terms, actor)
    return hits


def _ranked(
    rows: QuerySet[M],
    terms: SearchTerms,
    field: str = "name",
    other: Sequence[str] = (),
    beside: Sequence[str] = (),
) -> list[M]:
    """Return rows whose ``field`` holds the text: equal ones first, then those that begin so; last
    those where it is in a field of ``other`` alone, whatever the size of its letters. Of several
    words each may be in another field, also in those ``beside``, which one alone does not find."""
    if terms.id:
        return list(rows.filter(pk=terms.id))
    rank = Case(
        When(**{field: terms.text}, then=Value(0)),
        When(**{f"{field}__startswith": terms.text}, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    several = terms.words[1:]
    for word in terms.words if several else [terms.text]:
        matching = Q(**{f"{field}__contains": word})
        for name in (*other, *beside) if several else other:
            matching |= Q(**{f"{name}__icontains": word})
        rows = rows.filter(matching)
    return list(rows.order_by(rank, field, "pk")[:MOST])


def _models(terms: SearchTerms, actor: Actor) -> list[Hit]:
    if terms.model:
        return []
    return [_model(row) for row in _ranked(models(actor), terms, beside=OF_PROJECT)]


def _model(row: RegisteredModel) -> Hit:
    url = reverse("model", args=[row.project.slug, row.name])
    return Hit("model", row.pk, row.name, row.project.name, url)


def _versions(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """Versions by id, by ``name:number`` and by the beginning of their artifact's digest."""
    rows = versions(actor).defer(*LARGE)
    if terms.id:
        rows = rows.filter(pk=terms.id)
    elif terms.digest:
        rows = rows.filter(artifact_digest__startswith=f"sha256:{terms.digest}")
    elif terms.model and not terms.alias:
        rows = rows.filter(model__in=_named(terms, actor))
        if terms.number is not None:
            rows = rows.filter(number=terms.number)
    else:
        return []
    return [_version(row) for row in rows.order_by("model__name", "-number", "pk")[:MOST]]


def _named(terms: SearchTerms, actor: Actor) -> QuerySet[RegisteredModel]:
    """The few models that a reference may mean, the equal one first."""
    named = models(actor).filter(name__startswith=terms.model)
    if terms.project:
        named = named.filter(project__slug=terms.project)
    return named.order_by("name", "pk").values("pk")[:MOST]  # type: ignore[return-value]


def _version(row: ModelVersion, because: str = "") -> Hit:
    url = reverse("version", args=[row.project.slug, row.model.name, row.number])
    detail = f"{row.project.name}, {because or row.state}"
    return Hit("version", row.pk, str(row), detail, url)


def _aliases(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """Versions that an alias names: ``champion``, ``churn:champion``."""
    rows = visible(
        Alias.objects.select_related("version__model", "version__project").defer(
            *large_of("version")
        ),
        actor,
        view="version.view",
    )
    if terms.alias:
        rows = rows.filter(model__in=_named(terms, actor), name__startswith=terms.alias)
    elif terms.model:
        return []
    else:
        rows = rows.filter(name__startswith=terms.text)
    aliases = rows.order_by("name", "pk")[:MOST]
    return [_version(row.version, f"alias {row.name}") for row in aliases]


def _bentos(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """Versions by the beginning of the digest of a Bento that was built from them."""
    if not terms.digest:
        return []
    rows = Bento.objects.filter(digest__startswith=f"sha256:{terms.digest}")
    rows = rows.select_related("version__model", "version__project").defer(*large_of("version"))
    bentos = visible(rows, actor, view="version.view")
    return [
        _version(row.version, f"Bento {row.digest[7:15]}…") for row in bentos.order_by("pk")[:MOST]
    ]


def _releases(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """Releases by id, by number, of a project or of any, and by words of why they are wanted, of
    where and of what."""
    if terms.id:
        rows = releases(actor).filter(pk=terms.id)
    elif terms.release is not None:
        rows = releases(actor).filter(number=terms.release)
        rows = rows.filter(project__slug=terms.project) if terms.project else rows
    elif len(terms.text) >= LEAST and not terms.digest:
        rows = releases(actor).filter(one_of(described(terms, actor)))
    else:
        return []
    rows = with_words(rows).annotate(asker=name_in("requested_by"))
    return [_release(row, terms) for row in rows[:MOST]]


def described(terms: SearchTerms, actor: Actor) -> QuerySet[Release, Any]:
    """The newest releases that each word fits, of the newest that ``actor`` sees.

    No index finds what stands inside a sentence, and this is asked with each key that is typed.
    """
    seen = visible(Release.objects.order_by("-pk"), actor, view="release.view")
    oldest = Coalesce(Subquery(seen.values("pk")[REASONS - 1 : REASONS]), Value(""))
    found, several = seen.filter(pk__gte=oldest), terms.words[1:]
    for word in terms.words:
        found = found.filter(_fits(word) if several else _is_said(word))
    return found.values("pk")[:MOST]


def _is_said(word: str) -> Q:
    """The condition that a word stands in why a release is wanted, or in its endpoint's name."""
    named = Endpoint.objects.filter(name__contains=word)
    return Q(reason__icontains=word) | Q(endpoint__in=named.values("pk"))


def _fits(word: str) -> Q:
    """The condition that one of several words says what a release is for, of which model, where,
    how it stands, or its number."""
    project = Project.objects.filter(Q(name__icontains=word) | Q(slug__contains=word))
    model = RegisteredModel.objects.filter(name__contains=word)
    found = (
        _is_said(word)
        | Q(version__model__in=model.values("pk"))
        | Q(state__startswith=word)
        | Q(environment__in=Environment.objects.filter(name__startswith=word).values("pk"))
        | Q(project__in=project.values("pk"))
    )
    return found | Q(number=int(word)) if SHORT_NUMBER.fullmatch(word) else found


def _release(row: Any, terms: SearchTerms) -> Hit:
    title = f"{row.project.name} release {row.number}"
    state = listed_state(row).replace("_", " ")
    detail = f"{row.version} to {row.endpoint.name} in {row.environment.name}, {state}"
    said = _said(row.reason, terms)
    asked = f". {row.asker} asked for it: {said}" if said else ""
    return Hit("release", row.pk, title, detail + asked, reverse("release", args=[row.pk]))


def _said(reason: str, terms: SearchTerms) -> str:
    """Return the part of a reason in which the first of the search's words stands that is in it; ''
    for none."""
    small = reason.lower()
    place = next((at for word in terms.words if (at := small.find(word)) >= 0), -1)
    if place < 0:
        return ""
    start, end = max(place - AROUND, 0), place + 2 * AROUND
    before, after = "…" if start else "", "…" if end < len(reason) else ""
    return f"“{before}{reason[start:end]}{after}”"


def _endpoints(terms: SearchTerms, actor: Actor) -> list[Hit]:
    if terms.model:
        return []
    beside = ("environment", *OF_PROJECT)
    return [_endpoint(row) for row in _ranked(visible_endpoints(actor), terms, beside=beside)]


def _endpoint(row: Endpoint) -> Hit:
    url = reverse("endpoint", args=[row.pk])
    return Hit("endpoint", row.pk, row.name, f"{row.project.name}, {row.environment}", url)


def _environments(terms: SearchTerms, actor: Actor) -> list[Hit]:
    if terms.model or terms.digest:
        return []
    rows = visible(Environment.objects.select_related("project"), actor)
    return [_environment(row) for row in _ranked(rows, terms, beside=OF_PROJECT)]


def _environment(row: Environment) -> Hit:
    url = reverse("environment", args=[row.project.slug, row.name])
    return Hit("environment", row.pk, row.name, row.project.name, url)


def _projects(terms: SearchTerms, actor: Actor) -> list[Hit]:
    if terms.model:
        return []
    rows = visible(Project.objects.all(), actor, project="pk")
    return [_project(row) for row in _ranked(rows, terms, "slug", ("name",))]


def _project(row: Project) -> Hit:
    return Hit("project", row.pk, row.name, row.slug, reverse("project", args=[row.slug]))


def _targets(terms: SearchTerms, actor: Actor) -> list[Hit]:
    if terms.model:
        return []
    return [_target(row) for row in _ranked(visible_targets(actor), terms, beside=("site",))]


def _target(row: Target) -> Hit:
    url = reverse("target", args=[row.name])
    return Hit("target", row.pk, row.name, row.get_site_display(), url)


def _guides(terms: SearchTerms, actor: Actor) -> list[Hit]:
    """Pages and sections of the guides by their titles."""
    if len(terms.text) < LEAST:
        return []
    return [_guide(row) for row in islice(sections(terms.words), MOST)]


def _guide(row: Section) -> Hit:
    page = "" if row.page == row.title else f": {row.page}"
    return Hit("guide", row.url, row.title, f"Docs{page}", row.url)


FINDERS: tuple[Callable[[SearchTerms, Actor], list[Hit]], ...] = (
    _models,
    _versions,
    _aliases,
    _bentos,
    _releases,
    _endpoints,
    _projects,
    _targets,
    _environments,
    people_and_teams,
    recalls_builds_and_policies,
    _guides,
)
BY_ID: Mapping[str, Callable[[SearchTerms, Actor], list[Hit]]] = {  # by how ids begin
    "mdl": _models,
    "ver": _versions,
    "rel": _releases,
    "end": _endpoints,
    "prj": _projects,
    "tgt": _targets,
    "env": _environments,
    "per": people_and_teams,
    "tem": people_and_teams,
    "rcl": recalls_builds_and_policies,
    "bld": recalls_builds_and_policies,
    "pol": recalls_builds_and_policies,
}
