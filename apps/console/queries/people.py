"""Everybody who has an account, with what they may do and how they sign in."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest, Lower

from apps.console.queries.administration import AdministrationHead
from apps.console.queries.page_parts import Sign, counted
from apps.console.queries.paging import placed
from apps.console.queries.sorting import PEOPLE, Sorting
from apps.governance.models import Environment
from apps.identity.models import ApiToken, Project, RoleBinding, TeamMember, User
from apps.identity.rules import ROLES
from apps.identity.trust.second_factor import factors, never_came
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.config import config

SHOWS = (
    ("no-role", "Without a role"),
    ("no-factor", "Without a second factor"),
    ("away-30", "Away for 30 days"),
    ("away-90", "Away for 90 days"),
    ("inactive", "Deactivated"),
)
AWAY = {"away-30": timedelta(days=30), "away-90": timedelta(days=90)}
OFFERED = 300
PlaceGroups = list[tuple[str, list[tuple[str, str]]]]  # projects, and the places in each
FACTOR_WORDS = {"webauthn": "Passkey", "totp": "Authenticator app"}


def offered_people(actor: Actor) -> list[tuple[str, str]]:
    """Return people to choose from in a field that asks for one, address and name, for who may see
    everybody; who has more than fit types the rest (one query)."""
    if not actor.can("access.view"):
        return []
    rows = User.objects.filter(is_active=True).order_by(Lower("name"), "pk")
    return list(rows.values_list("email", "name")[:OFFERED])


@dataclass(slots=True)
class PersonRow:
    """A person in the list of all."""

    person: Any  # with ``factors``, when they were ``seen``, and whether they are ``awaited``
    teams: list[str] = field(default_factory=list)
    roles: list[RoleBinding] = field(default_factory=list)

    @property
    def factor(self) -> Sign:
        """Their second factor; having none is what stands out."""
        held = sorted(FACTOR_WORDS[kind] for kind in set(self.person.factors))
        if held:
            return Sign("pass", "✓", " and ".join(held))
        return Sign("wait" if self.person.is_active else "plain", "–", "None")

    @property
    def seen(self) -> datetime | None:
        """When they last signed in, or a token of theirs was used."""
        at: datetime | None = self.person.seen
        return at

    @property
    def state(self) -> Sign:
        """Whether they can come in."""
        if not self.person.is_active:
            return Sign("plain", "–", "Deactivated")
        if self.person.awaited:
            at = self.person.reactivated_at
            again = f"Let in again on {at:%Y-%m-%d}, not signed in since" if at else ""
            return Sign("plain", "◷", again or "Not yet signed in")
        return Sign("pass", "✓", "Active")


@dataclass(frozen=True, slots=True)
class PersonFilter:
    """Which people are asked for."""

    text: str = ""
    show: str = ""


@dataclass(frozen=True, slots=True)
class PersonListPage:
    """One page of everybody, and what its reader can invite to."""

    head: AdministrationHead
    rows: Sequence[PersonRow]
    count: int
    asked: PersonFilter
    typed: Mapping[str, Any]
    key: str

    @property
    def title(self) -> str:
        """How many there are of those that are asked for."""
        return counted(self.count, "person", "people")

    @property
    def shows(self) -> Sequence[tuple[str, str]]:
        """What narrows the list."""
        return SHOWS

    @property
    def is_narrowed(self) -> bool:
        """Whether not everybody is asked for."""
        return bool(self.asked.text or self.asked.show)

    @property
    def by_mail(self) -> bool:
        """Whether an invitation goes out by mail."""
        return bool(config().email_url)

    @property
    def roles(self) -> list[tuple[str, str]]:
        """The roles that an invitation can give."""
        return role_choices()

    @property
    def places(self) -> PlaceGroups:
        """Where a role can hold, besides everywhere."""
        return place_choices() if self.head.may_manage else []


def role_choices() -> list[tuple[str, str]]:
    """Return every role to choose from."""
    return [(name, name.capitalize()) for name in ROLES]


@dataclass(frozen=True, slots=True)
class RolesAt:
    """The roles of a person or a team in one project, or everywhere where there is none."""

    project: Project | None
    roles: Sequence[RoleBinding]


def roles_by_place(held: QuerySet[RoleBinding]) -> list[RolesAt]:
    """Return roles by project; those everywhere come first."""
    by_project: dict[Project | None, list[RoleBinding]] = {}
    for binding in held.order_by("project__name", "environment", "role", "pk"):
        by_project.setdefault(binding.project, []).append(binding)
    rows = [RolesAt(project, roles) for project, roles in by_project.items()]
    return sorted(rows, key=lambda row: row.project is not None)


def place_choices() -> PlaceGroups:
    """Return every project and its environments to choose from, by project, for who administers
    access in all. Those that bear one name, which anybody who edits a project may give it, are told
    apart by their short names."""
    groups: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    rows = Project.objects.order_by(Lower("name"), "slug").values_list("slug", "name")
    bearers = Counter(name.casefold() for _, name in rows)
    for slug, name in rows:
        called = f"{name} ({slug})" if bearers[name.casefold()] > 1 else name
        groups[slug] = (called, [(slug, called)])
    within = Environment.objects.order_by("position", "name").values_list("project__slug", "name")
    for slug, environment in within:
        if slug in groups:  # it may have been made since
            name, places = groups[slug]
            places.append((f"{slug}/{environment}", f"{name} · {environment}"))
    return [*groups.values()]


def person_list_page(
    head: AdministrationHead,
    *,
    asked: PersonFilter,
    typed: Mapping[str, Any],
    sorting: Sorting = PEOPLE,
    after: str = "",
) -> PersonListPage:
    """Return one page of the people who are asked for, and the id to go on after."""
    everybody, named = _narrowed(asked), User.objects.annotate(called=Lower("name"))
    people, key = placed(described(everybody), named, sorting.fields, after)
    return PersonListPage(head, _with_roles(people), everybody.count(), asked, typed, key)


def _narrowed(asked: PersonFilter) -> QuerySet[User]:
    people = User.objects.all()
    if text := asked.text.strip():
        people = people.filter(Q(name__icontains=text) | Q(email__icontains=text))
    if asked.show == "inactive":
        return people.filter(is_active=False)
    if asked.show in AWAY:
        since = Coalesce("seen", "created_at")  # who never came is away since they were invited
        people = with_sign_in(people).annotate(since=since)
        return people.filter(since__lt=now() - AWAY[asked.show], is_active=True)
    if asked.show == "no-factor":
        return people.filter(~Exists(factors().filter(user=OuterRef("pk"))), is_active=True)
    if asked.show == "no-role":
        own = RoleBinding.objects.exclude(person=None).values("person")
        of_teams = RoleBinding.objects.exclude(team=None).values("team")
        members = TeamMember.objects.filter(team__in=of_teams).values("person")
        return people.filter(is_active=True).exclude(pk__in=own).exclude(pk__in=members)
    return people


def described(people: QuerySet[User]) -> QuerySet[User, Any]:
    """Read along of each person the types of their factors, when they were last ``seen``, and
    whether they are ``awaited``: invited, and never came."""
    return with_sign_in(people).annotate(
        called=Lower("name"),
        awaited=never_came("pk"),
        factors=ArraySubquery(factors().filter(user=OuterRef("pk")).values("type")),
    )


def with_sign_in(people: QuerySet[User]) -> QuerySet[User, Any]:
    """Read along when each person signed in last or a token of theirs was used (``seen``): what
    they do in a session that lasts is written down nowhere."""
    tokens = ApiToken.objects.filter(person=OuterRef("pk")).values("person")
    used = Subquery(tokens.annotate(at=Max("last_used_at")).values("at"))
    return people.annotate(seen=Greatest(F("last_login"), used))


def _with_roles(people: Iterable[Any]) -> list[PersonRow]:
    """Return the rows of ``people`` with their teams and roles, their teams' too (two queries)."""
    rows = {person.pk: PersonRow(person) for person in people}
    by_team: dict[str, list[PersonRow]] = {}
    members = TeamMember.objects.filter(person__in=rows).select_related("team")
    for member in members.order_by("team__name"):
        rows[member.person_id].teams.append(member.team.name)
        by_team.setdefault(member.team_id, []).append(rows[member.person_id])
    held = RoleBinding.objects.filter(Q(person__in=rows) | Q(team__in=by_team))
    for binding in held.select_related("project").order_by(
        F("project__name").asc(nulls_first=True), "environment", "role"
    ):
        holders = by_team[binding.team_id] if binding.team_id else [rows[binding.person_id or ""]]
        for row in holders:
            row.roles.append(binding)
    return list(rows.values())
