"""Who is away, and who may stand in for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.governance.models import Absence
from apps.governance.rules import ROLE_OF
from apps.identity.models import RoleBinding, TeamMember, User
from apps.identity.queries import held_grants, name_in, people_names, stands_for_person
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import Forbidden

MOST = 200  # people to choose a deputy from


@dataclass(frozen=True, slots=True)
class Away:
    """Until when somebody is away, and who stands in for them; ``passed_over`` says why not, of a
    deputy who decides nothing there without saying who they are."""

    until: datetime
    deputy: str
    name: str
    deputy_away: bool  # who stands in for nobody meanwhile
    passed_over: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read it as :func:`absence_of` brings it."""
        until = datetime.fromisoformat(row["until"])
        return cls(until, row["deputy"], row["name"], row["deputy_away"])


@dataclass(frozen=True, slots=True)
class OwnAbsence:
    """When somebody is away, or will be, and who may stand in for them."""

    absence: Absence | None
    deputy_name: str
    deputy_can: bool  # whether the deputy still decides where they do
    may_stand_in: tuple[User, ...]

    @property
    def begins_later(self) -> bool:
        """Whether they are not away yet."""
        return self.absence is not None and self.absence.starts_at > clock.now()


def absences() -> QuerySet[Absence]:
    """Return the absences of who is away now."""
    at = clock.now()
    return Absence.objects.filter(starts_at__lte=at, ends_at__gt=at, cleared_at=None)


def absence_of(person: str) -> Subquery:
    """Return until when somebody is away now, whose id a query has in the column ``person``, and
    their deputy, as JSON; null where they are not."""
    told = JSONObject(
        until="ends_at", deputy="deputy", name=name_in("deputy"), deputy_away=Exists(_deputy_away())
    )
    return Subquery(absences().filter(person=OuterRef(person)).values(json=told)[:1])


def away_for(deputy: str) -> QuerySet[Absence, Any]:
    """Return the ids of those who are away now and for whom ``deputy``, who is not, stands in."""
    return absences().filter(~Exists(_deputy_away()), deputy=deputy).values("person")


def away_by(people: Iterable[str]) -> dict[str, Away]:
    """Return of those of ``people`` who are away until when, and who stands in."""
    rows = absences().filter(person__in=people)
    return {
        row.person: Away(row.ends_at, row.deputy, "", deputy_away=row.deputy_away)
        for row in rows.annotate(deputy_away=Exists(_deputy_away()))
    }


def _deputy_away() -> QuerySet[Absence]:
    """Return the absence of the deputy of one that a query reads, while they are away too."""
    return absences().filter(person=OuterRef("deputy"))


def may_stand_in(person: str) -> QuerySet[User]:
    """Return who may stand in for ``person``: active people who hold a role that decides where they
    hold it too."""
    here = Q(pk__in=[])
    for grant in held_grants(person):
        if grant.permission not in ROLE_OF:
            continue
        place = Q(role=ROLE_OF[grant.permission])
        if grant.scope.project is not None:
            inside = Q(project=grant.scope.project)
            if grant.scope.environment is not None:
                inside &= Q(environment__in=("", grant.scope.environment))
            place &= Q(project=None) | inside
        here |= place
    held = RoleBinding.objects.filter(here)
    members = TeamMember.objects.filter(team__in=held.exclude(team=None).values("team"))
    who = Q(pk__in=held.exclude(person=None).values("person")) | Q(pk__in=members.values("person"))
    return User.objects.filter(who, is_active=True).exclude(pk=person).order_by("name", "pk")


def own_absence(actor: Actor) -> OwnAbsence:
    """Return when ``actor`` is away, or will be, and who may stand in for them: people of all their
    projects, of which a token of one tells nothing."""
    if not stands_for_person(actor, "project.view"):
        raise Forbidden("Only you read when you are away: not by a token of one project")
    person = actor.accountable
    left = Absence.objects.filter(person=person, cleared_at=None, ends_at__gt=clock.now())
    row = left.first()
    name = people_names([row.deputy])[row.deputy] if row else ""
    able = may_stand_in(person)
    can = row is not None and able.filter(pk=row.deputy).exists()
    return OwnAbsence(row, name, can, tuple(able[:MOST]))
