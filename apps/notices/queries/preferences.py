"""What somebody watches, and how they want to be told. Nobody sees another's."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db.models import (
    BooleanField,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce

from apps.discussions.models import Mention
from apps.governance.models import Decision, Release
from apps.identity.models import Project
from apps.identity.queries import visible
from apps.notices.errors import OnlyPeople
from apps.notices.models import Preference, Watch
from apps.notices.rules import KINDS, NONE, NoticeKind, chosen_way
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class KindChoice:
    """How somebody is told of one kind of things, and whether they chose that."""

    kind: NoticeKind
    way: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class KindPreference:
    """What somebody chose for one project."""

    project: Project
    kind: NoticeKind
    way: str


def refuse_program(actor: Actor) -> None:
    """Refuse a program, which has no mail and does not read what its owner chose."""
    if actor.kind != "person":
        raise OnlyPeople("A service account has no mail: its owner chooses for themselves")


def own_watches(actor: Actor) -> QuerySet[Watch]:
    """Return what ``actor`` watches, or does not want news of, as far as they may see it."""
    rows = Watch.objects.filter(person=actor.accountable).select_related("project", "release")
    seen = visible(Release.objects.filter(pk=OuterRef("release")), actor, view="release.view")
    rows = rows.filter(Q(release=None) | Exists(seen))
    return visible(rows, actor).order_by("project__name", "-release__number", "pk")


def watches_project(project: Project, actor: Actor) -> bool:
    """Tell whether ``actor`` watches a project."""
    rows = Watch.objects.filter(person=actor.accountable, project=project, release=None)
    return rows.filter(is_on=True).exists()


def with_watched(rows: QuerySet[Release], actor: Actor) -> QuerySet[Release]:
    """Return releases with whether ``actor`` is told news of each (``is_watched``): they said so;
    else they asked for it, decided on it, were mentioned there or watch its project."""
    me = actor.accountable
    mine = Watch.objects.filter(person=me, project=OuterRef("project"))
    decided = Decision.objects.filter(release=OuterRef("pk"), person=me)
    by_itself = Exists(mine.filter(release=None)) | Exists(decided) | Exists(_named(me))
    return rows.annotate(
        is_watched=Coalesce(
            Subquery(mine.filter(release=OuterRef("pk")).values("is_on")),
            ExpressionWrapper(Q(requester=me) | by_itself, BooleanField()),
        )
    )


def _named(person: str) -> QuerySet[Mention]:
    """Return where the person is mentioned about a release of the outer query."""
    about = Mention.objects.filter(thread__kind="release", thread__subject=OuterRef("pk"))
    return about.filter(person=person)


def by_themselves(release: Release) -> set[str]:
    """Return who watches a release without having said so, by id."""
    decided = Decision.objects.filter(release=release).values_list("person", flat=True)
    named = Mention.objects.filter(thread__kind="release", thread__subject=release.pk)
    return {release.requester, *decided, *named.values_list("person", flat=True)}


def choices_of(actor: Actor) -> list[KindChoice]:
    """Return how ``actor`` is told of each kind, in all projects for which they chose nothing
    else (one query)."""
    rows = own_preferences(actor).filter(project=None)
    chosen = dict(rows.values_list("kind", "way"))
    return [KindChoice(k, chosen.get(k.name, k.usual), k.name in chosen) for k in KINDS.values()]


def project_preferences(actor: Actor) -> list[KindPreference]:
    """Return what ``actor`` chose for single projects, of those that they may see (one query)."""
    rows = visible(own_preferences(actor).exclude(project=None), actor)
    rows = rows.select_related("project").order_by("project__name", "project", "kind")
    found: list[KindPreference] = []
    for row in rows:
        if row.project is not None and row.kind in KINDS:
            found.append(KindPreference(row.project, KINDS[row.kind], row.way))
    return found


def own_preferences(actor: Actor) -> QuerySet[Preference]:
    """Return all that ``actor`` chose."""
    return Preference.objects.filter(person=actor.accountable)


def ways(
    people: Collection[str], kinds: Collection[str], project: str
) -> Mapping[str, dict[str, str]]:
    """Return how each of ``people`` is told of each of ``kinds`` in a project (one query)."""
    rows = Preference.objects.filter(person__in=people, kind__in=kinds)
    rows = rows.filter(Q(project=None) | Q(project=project or None))
    chosen: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for person, kind, place, way in rows.values_list("person", "kind", "project", "way"):
        chosen[person, kind][place or ""] = way
    return {
        person: {kind: chosen_way(kind, chosen.get((person, kind), {}), project) for kind in kinds}
        for person in people
    }


def wants(person: str, kind: str, project: str) -> bool:
    """Tell whether somebody wants mail of ``kind`` in a project."""
    return ways([person], [kind], project)[person][kind] != NONE
