"""Who has which role in a project."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from apps.console.queries.links import person_url, sees_access
from apps.console.queries.page_parts import counted
from apps.console.queries.people import offered_people
from apps.console.queries.policy_trial import STUCK_NOW, shortages
from apps.console.queries.project_page import ProjectHead, environments_in_force
from apps.console.templatetags.placet import sees_a_part
from apps.governance.queries.deciders import RoleHolders, asked_deciders, deciders, with_deciders
from apps.identity.models import Project, RoleBinding
from apps.identity.queries import scope_of, visible_roles
from apps.identity.rules import ROLES
from apps.identity.trust.second_factor import without_factor
from placet.kernel.actor import Actor, Scope

SHOWN = 500  # roles


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that somebody holds, where, and since when."""

    binding: RoleBinding
    may_remove: bool

    @property
    def place(self) -> str:
        """Where it holds, where that is not what the table is about."""
        return self.binding.environment

    @property
    def waits(self) -> bool:
        """Whether it counts only once the person has a second factor; of a team that is said on
        the pages of its people."""
        demanding = getattr(self.binding, "demanding", ())
        return self.binding.person_id is not None and self.binding.role in demanding

    @property
    def removes(self) -> str:
        """What the button beside it does, for who does not see where it stands."""
        return f"Remove {self.binding.role} from {holder_name(self.binding)}"


@dataclass(slots=True)
class MemberRow:
    """A person, a team or a service account, and the roles they hold."""

    name: str
    kind: str
    url: str
    roles: list[HeldRole] = field(default_factory=list)

    @property
    def since(self) -> list[tuple[str, datetime]]:
        """Which role they hold since when, in the order of the roles; of one alone it needs no
        name."""
        several = len(self.roles) > 1
        rows = (held.binding for held in self.roles)
        return [(row.role if several else "", row.created_at) for row in rows]


@dataclass(frozen=True, slots=True)
class DecidersThere:
    """Whom the policy of an environment asks, role by role, and where they are too few."""

    environment: str
    rows: list[RoleHolders]
    too_few: list[str]


@dataclass(frozen=True, slots=True)
class MembersPage:
    """The members of a project, and who has a role everywhere."""

    head: ProjectHead
    rows: Sequence[MemberRow]
    everywhere: Sequence[MemberRow]
    environments: Sequence[Any]  # with who decides there
    typed: Mapping[str, Any]
    is_cut: bool
    offered: list[tuple[str, str]]  # people to choose from, where the reader may see everybody

    @property
    def cut(self) -> str:
        """What is said where there are more roles than are shown."""
        if not self.is_cut:
            return ""
        return f"The first {SHOWN} roles are shown. Administration lists everybody with theirs."

    @property
    def sees_all(self) -> bool:
        """Whether the reader sees everybody's roles."""
        return sees_access(self.head.project, self.head.actor)

    @property
    def hides_everywhere(self) -> bool:
        """Whether who has a role in every project is not visible to the reader."""
        return sees_a_part(self.head.actor, "access.view")

    @property
    def may_manage(self) -> bool:
        """Whether the reader may give roles in the whole project."""
        return self.head.actor.can("access.manage", Scope(self.head.project.pk))

    @property
    def roles(self) -> list[tuple[str, str]]:
        """The roles to choose from."""
        return [(name, name.capitalize()) for name in ROLES]

    @property
    def places(self) -> list[tuple[str, str]]:
        """Where a role can hold, besides in the whole project."""
        return [(row.name, row.name) for row in self.environments]

    @property
    def deciders(self) -> list[DecidersThere]:
        """Whom the policy of each environment asks, as far as the reader sees its releases."""
        actor = self.head.actor
        return [
            DecidersThere(
                row.name,
                asked_deciders(row, actor),
                list(shortages(row.gates_in_force or (), held, STUCK_NOW, what="The policy")),
            )
            for row in self.environments
            if (held := deciders(row, actor))
        ]

    @property
    def empty_title(self) -> str:
        """What an empty list says."""
        return "No member yet" if self.sees_all else "You have no role of your own here"


def members_page(project: Project, actor: Actor, typed: Mapping[str, Any]) -> MembersPage:
    """Return who has which role in a project, as far as ``actor`` sees that."""
    held = _roles(actor).filter(Q(project=project) | Q(project=None))
    bindings = list(held.order_by("created_at", "pk")[: SHOWN + 1])
    is_cut, bindings = len(bindings) > SHOWN, bindings[:SHOWN]
    manages = actor.can("access.manage", Scope(project.pk))
    return MembersPage(
        head=ProjectHead(project, actor),
        rows=member_rows((b for b in bindings if b.project_id), actor),
        everywhere=member_rows((b for b in bindings if not b.project_id), actor),
        environments=list(with_deciders(environments_in_force(project, actor))),
        typed=typed,
        is_cut=is_cut,
        offered=offered_people(actor) if manages else [],
    )


def _roles(actor: Actor) -> QuerySet[RoleBinding]:
    roles = visible_roles(actor).annotate(team_size=Count("team__memberships"))
    return roles.annotate(demanding=without_factor("person"))


def member_rows(bindings: Iterable[RoleBinding], actor: Actor) -> list[MemberRow]:
    """Return everybody who holds one of ``bindings`` with theirs, by name."""
    rows: dict[str, MemberRow] = {}
    for binding in bindings:
        subject = subject_of(binding)
        row = rows.get(subject.pk)
        if row is None:
            url = person_url(subject.pk, actor)
            row = rows[subject.pk] = MemberRow(holder_name(binding), _kind(binding), url)
        may = actor.can("access.manage", scope_of(binding))
        row.roles.append(HeldRole(binding, may))
    return sorted(rows.values(), key=lambda row: row.name.lower())


def subject_of(binding: RoleBinding) -> Any:
    """Return who holds a role."""
    return binding.person or binding.team or binding.service_account


def holder_name(binding: RoleBinding) -> str:
    """Return what who holds a role is called: of a person, no address."""
    return binding.person.public_name if binding.person else str(subject_of(binding))


def _kind(binding: Any) -> str:
    if binding.person:
        return "person" if binding.person.is_active else "deactivated"
    if binding.team:
        people = getattr(binding, "team_size", None)
        return "team" if people is None else f"team of {counted(people, 'person', 'people')}"
    return "service account"
