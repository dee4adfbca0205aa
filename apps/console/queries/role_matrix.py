"""Which role may do what, as the code has it, and which roles demand a second factor."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from apps.console.queries.administration import AdministrationHead
from apps.console.queries.page_parts import counted
from apps.identity.models import RoleBinding, SecondFactorDemand
from apps.identity.rules import PERMISSIONS, ROLES
from apps.identity.rules.permissions import in_groups
from apps.identity.trust.second_factor import people_without


@dataclass(frozen=True, slots=True)
class PermissionRow:
    """A permission in words, and whether each role has it, in the order of the roles."""

    name: str
    words: str
    held: Sequence[bool]


@dataclass(frozen=True, slots=True)
class PermissionGroup:
    """Permissions that belong together."""

    title: str
    rows: Sequence[PermissionRow]


@dataclass(frozen=True, slots=True)
class RoleColumn:
    """A role: how often it is given, and whether it demands a second factor."""

    name: str
    given: int
    demanding: bool
    lacking: int
    own: bool  # whether the reader is one of those

    @property
    def demands(self) -> str:
        """What the button that demands does, for who does not see where it stands."""
        return f"Require a second factor for {self.name}…"

    @property
    def demand_title(self) -> str:
        """What stands above the question whether to demand."""
        return f"Require a second factor for {self.name}?"

    @property
    def hits(self) -> str:
        """Whom the demand takes the role from."""
        if not self.given:
            return "Nobody holds it"
        if not self.lacking:
            return "Nobody who holds it is without one"
        if self.own and self.lacking == 1:
            return "You have none: of those who hold it, you alone lose it now"
        people = counted(self.lacking, "person", "people")
        have, lose = ("has", "loses") if self.lacking == 1 else ("have", "lose")
        among = ", you among them," if self.own else ""
        return f"Of those who hold it, {people}{among} {have} none and {lose} it now"

    @property
    def meanwhile(self) -> str:
        """What becomes of those from whom the demand takes the role, or of who gets it later."""
        if self.own and self.lacking == 1:
            return (
                "You can sign in, are led to set a second factor up, and have the role again once "
                "you have."
            )
        if self.lacking:
            return (
                "They can sign in, are led to set a second factor up, and have the role again once "
                "they have."
            )
        return "Whoever is given it without one can sign in, and has it once they have set one up."

    @property
    def waives(self) -> str:
        """What the button that waives does, for who does not see where it stands."""
        return f"Stop requiring a second factor for {self.name}"

    @property
    def counted(self) -> str:
        """How often it is given to people, teams and programs."""
        return f"given {counted(self.given, 'time')}" if self.given else "given to nobody"


@dataclass(frozen=True, slots=True)
class RoleMatrixPage:
    """The roles, and what each may do."""

    head: AdministrationHead
    roles: Sequence[RoleColumn]
    groups: Sequence[PermissionGroup]


def role_matrix_page(head: AdministrationHead) -> RoleMatrixPage:
    """Return the roles and what each may do (three queries)."""
    given = dict(RoleBinding.objects.order_by().values_list("role").annotate(count=Count("pk")))
    demanding = set(SecondFactorDemand.objects.values_list("role", flat=True))
    lacking = people_without(head.actor.accountable)
    roles = [
        RoleColumn(name, given.get(name, 0), name in demanding, *lacking.get(name, (0, False)))
        for name in ROLES
    ]
    return RoleMatrixPage(head, roles, permission_groups())


def permission_groups() -> list[PermissionGroup]:
    """Return every permission in groups, and who has it."""
    return [
        PermissionGroup(title, [_row(name, words) for name, words in permissions])
        for title, permissions in in_groups(PERMISSIONS)
    ]


def _row(name: str, words: str) -> PermissionRow:
    return PermissionRow(name, words, [name in held for held in ROLES.values()])
