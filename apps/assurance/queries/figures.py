"""What the figures of releases are made of: the releases, rollouts and decisions of a project."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Subquery

from apps.assurance.figures import (
    Course,
    End,
    Ends,
    Place,
    Stages,
    Taken,
    Vote,
    ends,
    grouped,
    stages,
    taken,
)
from apps.governance.gates import holding_back
from apps.governance.models import FIRST_LIVE, Decision, Release
from apps.governance.queries.by_clock import gates_now, with_clock
from apps.governance.rules import ReleaseState
from apps.identity.models import Project, TeamMember
from apps.identity.queries import people_names, sees_in, visible_teams
from apps.rollouts.models import Rollout
from apps.rollouts.states import ENDED_STATES, RolloutKind
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission

DAYS = (30, 90, 365)
USUAL = 90
MOST = 10_000  # releases, rollouts and decisions that are looked at: the newest
SHOWN = 100  # rows of each list
WAITING = 200  # releases whose gates are looked at: those that wait longest


@dataclass(frozen=True, slots=True)
class PlaceFigures:
    """A model in an environment."""

    place: Place
    stages: Stages
    ends: Ends


@dataclass(frozen=True, slots=True)
class TeamFigures:
    """What the people of a team asked for."""

    team: str
    stages: Stages
    ends: Ends


@dataclass(frozen=True, slots=True)
class PersonFigures:
    """How long releases waited for somebody's decision in a role."""

    person: str
    name: str
    role: str
    waited: Taken


@dataclass(frozen=True, slots=True)
class GateFigures:
    """How many releases wait at a gate now, and since when the oldest of them was asked for."""

    title: str
    waiting: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a project since a time; each list has at most :data:`SHOWN` rows.

    ``is_cut`` where there was more than :data:`MOST` of something: the newest counted;
    ``more_wait`` where more releases wait than those whose gates were read."""

    since: datetime
    days: int
    stages: Stages
    ends: Ends
    places: Sequence[PlaceFigures]
    people: Sequence[PersonFigures]
    gates: Sequence[GateFigures]
    teams: Sequence[TeamFigures]
    is_cut: bool = False
    more_wait: bool = False


def days_of(text: str) -> int:
    """Return how many days were asked for, :data:`USUAL` for ''; refuse another number."""
    if text and text not in map(str, DAYS):
        detail = f"One of {', '.join(map(str, DAYS))}"
        raise InvalidInput(errors=[FieldError("/days", detail)])
    return int(text or USUAL)


def figures(project: Project, actor: Actor, *, days: int = USUAL) -> Figures:
    """Return the figures of a project's last ``days`` days, in seven queries; refuse who does not
    see its releases and rollouts, all of which they are made of."""
    for view in ("release.view", "rollout.view"):
        if not sees_in(project.pk, view, actor):
            raise NeedsPermission(actor, view, scope=Scope(project.pk))
    since = now() - timedelta(days=days)
    courses, ended = _courses(project, since), _ends(project, since)
    votes = _votes(project, since)
    is_cut = max(len(courses), len(ended), len(votes)) > MOST
    courses, ended, votes = courses[:MOST], ended[:MOST], votes[:MOST]
    gates, more_wait = _gates(project)
    return Figures(
        since=since,
        days=days,
        stages=stages(courses),
        ends=ends(ended),
        places=_places(courses, ended),
        people=_people(votes),
        gates=gates,
        more_wait=more_wait,
        teams=_teams(courses, ended, actor),
        is_cut=is_cut,
    )


def _courses(project: Project, since: datetime) -> list[Course]:
    """Return the releases that went live since then, newest first: what is started or gone back to
    did not go out anew."""
    begun = Rollout.objects.filter(release=OuterRef("pk"), kind=RolloutKind.RELEASE)
    there = {name: OuterRef(name) for name in ("version", "environment")}
    again = _went_live().filter(**there, live__lt=OuterRef("live"))
    before = Q(decisions__created_at__lte=F("approved_at"), decisions__voided_reason="")
    rows = (
        _went_live()
        .filter(project=project, live__gte=since)
        .annotate(
            decided_at=Max("decisions__created_at", filter=before),
            begun=Subquery(begun.order_by("created_at").values("created_at")[:1]),
            again=Exists(again),
        )
        .order_by("-live")
        .values_list(
            *("version__model__name", "environment__name", "requester"),
            *("version__finalised_at", "created_at"),
            *("decided_at", "approved_at", "begun", "live", "again"),
        )
    )
    return [_course(*row) for row in rows[: MOST + 1]]


def _course(model: str, environment: str, requester: str, *times: Any) -> Course:
    *known, live, again = times
    names = ("registered_at", "requested_at", "decided_at", "approved_at", "started_at")
    return Course(
        Place(model, environment),
        requester,
        **dict(zip(names, known, strict=True)),
        live_at=live,
        first=not again,
    )


def _went_live() -> QuerySet[Any, Any]:
    """Return the releases that went live, with when they first did (``live``)."""
    return Release.objects.annotate(live=FIRST_LIVE).filter(live__isnull=False)


def _ends(project: Project, since: datetime) -> list[End]:
    """Return the rollouts of releases that ended since then, newest first."""
    rows = Rollout.objects.filter(
        project=project,
        kind=RolloutKind.RELEASE,
        state__in=ENDED_STATES,
        finished_at__gte=since,
    )
    columns = (
        *("release__version__model__name", "release__environment__name", "release__requester"),
        *("state", "release__state"),
    )
    found = rows.order_by("-finished_at").values_list(*columns)
    return [End(Place(model, place), *rest) for model, place, *rest in found[: MOST + 1]]


def _votes(project: Project, since: datetime) -> list[Vote]:
    """Return the first decision of each person on each release since then, newest first."""
    before = Decision.objects.filter(
        release=OuterRef("release"),
        person=OuterRef("person"),
        created_at__lt=OuterRef("created_at"),
    )
    rows = Decision.objects.filter(~Exists(before), project=project, created_at__gte=since)
    columns = ("person", "role", "created_at", "release__created_at")
    found = rows.order_by("-created_at").values_list(*columns)[: MOST + 1]
    return [
        Vote(person, role, max((at - asked).total_seconds(), 0.0))
        for person, role, at, asked in found
    ]


def _places(courses: Iterable[Course], ended: Iterable[End]) -> list[PlaceFigures]:
    went = grouped(courses, lambda one: one.place)
    over = grouped(ended, lambda one: one.place)
    rows = [
        PlaceFigures(place, stages(went.get(place, ())), ends(over.get(place, ())))
        for place in sorted({*went, *over})
    ]
    rows.sort(key=lambda row: -row.ends.ended)
    return rows[:SHOWN]


def _people(votes: Iterable[Vote]) -> list[PersonFigures]:
    """Return who decided, who most did first."""
    by = grouped(votes, lambda one: (one.person, one.role))
    most = sorted(by, key=lambda who: (-len(by[who]), who))[:SHOWN]
    names = people_names(person for person, _ in most)
    return [
        PersonFigures(person, names[person], role, taken(one.waited for one in by[person, role]))
        for person, role in most
    ]


def _gates(project: Project) -> tuple[list[GateFigures], bool]:
    """Return the gates that releases wait at now, the one of most first, and whether more wait than
    were looked at."""
    asked = Release.objects.filter(project=project, state=ReleaseState.REQUESTED)
    asked = asked.select_related("policy", "environment").defer("request_envelope")
    rows = list(with_clock(asked).order_by("created_at")[: WAITING + 1])
    count: Counter[str] = Counter()
    since: dict[str, datetime] = {}
    for row in rows[:WAITING]:
        for title in {gate["title"] for gate in holding_back(gates_now(row))}:
            count[title] += 1
            since.setdefault(title, row.created_at)
    most = sorted(count, key=lambda title: (-count[title], title))[:SHOWN]
    found = [GateFigures(title, count[title], since[title]) for title in most]
    return found, len(rows) > WAITING


def _teams(courses: Sequence[Course], ended: Sequence[End], actor: Actor) -> list[TeamFigures]:
    """Return the teams that ``actor`` sees by name, of whose people somebody asked for something;
    who is in two counts in both."""
    asked = {row.requester for row in courses} | {row.requester for row in ended}
    members = TeamMember.objects.filter(team__in=visible_teams(actor), person__in=asked)
    found = members.order_by("team__name").values_list("team__name", "person_id")
    people: Mapping[str, list[Any]] = grouped(found, lambda row: row[0])
    return [
        TeamFigures(
            team,
            stages([one for one in courses if one.requester in whose]),
            ends(one for one in ended if one.requester in whose),
        )
        for team, rows in list(people.items())[:SHOWN]
        for whose in [{person for _, person in rows}]
    ]
