"""Teams: who is in each, and which roles they hold together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.urls import reverse

from apps.console.queries.administration import AdministrationHead
from apps.console.queries.page_parts import counted
from apps.console.queries.paging import placed
from apps.console.queries.people import (
    PlaceGroups,
    RolesAt,
    offered_people,
    place_choices,
    role_choices,
    roles_by_place,
)
from apps.identity.models import RoleBinding, Team, User
from apps.identity.queries import visible_teams
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound

SHOWN = 500  # members


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A team in the list of all."""

    team: Any  # with its ``size``
    roles: list[RoleBinding]

    @property
    def people(self) -> str:
        """How many are in it."""
        return counted(self.team.size, "person", "people")


@dataclass(frozen=True, slots=True)
class TeamListPage:
    """One page of all teams."""

    head: AdministrationHead
    rows: Sequence[TeamRow]
    key: str


@dataclass(frozen=True, slots=True)
class TeamPage:
    """Everything the page of a team shows to its reader."""

    head: AdministrationHead
    team: Team
    roles: Sequence[RolesAt]
    members: Sequence[User]
    is_cut: bool

    @property
    def may_manage(self) -> bool:
        """Whether the reader administers access."""
        return self.head.may_manage

    @property
    def members_title(self) -> str:
        """How many are in it, as far as they are shown."""
        people = f"{counted(len(self.members), 'person', 'people')} in the team"
        return f"The first {people}" if self.is_cut else people

    @property
    def offered(self) -> list[tuple[str, str]]:
        """People to choose from, address and name."""
        return offered_people(self.head.actor)

    @property
    def role_choices(self) -> list[tuple[str, str]]:
        """The roles to choose from."""
        return role_choices()

    @property
    def places(self) -> PlaceGroups:
        """Where a role could be given, besides everywhere."""
        return place_choices()

    @property
    def log_url(self) -> str:
        """Where what happened to it is read, '' for who does not read the log."""
        if not self.head.actor.can_somewhere("audit.view"):
            return ""
        return f"{reverse('audit')}?subject={self.team.pk}"


def team_list_page(head: AdministrationHead, after: str) -> TeamListPage:
    """Return one page of the teams by name, and the id to go on after: a name may have a slash (two
    queries)."""
    every = visible_teams(head.actor)
    teams, key = placed(every.annotate(size=Count("memberships")), every, ("name",), after)
    roles: dict[str | None, list[RoleBinding]] = {}
    held = RoleBinding.objects.filter(team__in=teams).select_related("project")
    for binding in held.order_by("project__name", "environment", "role", "pk"):
        roles.setdefault(binding.team_id, []).append(binding)
    return TeamListPage(head, [TeamRow(team, roles.get(team.pk, [])) for team in teams], key)


def team_page(team: Team, head: AdministrationHead) -> TeamPage:
    """Return what the page of a team shows."""
    people = User.objects.filter(memberships__team=team).order_by("name", "pk")[: SHOWN + 1]
    members = list(people)
    held = RoleBinding.objects.filter(team=team).select_related("project")
    return TeamPage(head, team, roles_by_place(held), members[:SHOWN], len(members) > SHOWN)


def team_by_id(team_id: str, actor: Actor) -> Team:
    """Return the team that ``actor`` may see, or raise ``NotFound``."""
    row = visible_teams(actor).filter(pk=team_id).first()
    if row is None:
        raise NotFound
    return row
