"""Who holds a role that decides in an environment, for those who may see its releases."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, JSONObject

from apps.governance import rules
from apps.governance.models import Environment
from apps.governance.queries.people import NamedPerson
from apps.identity.models import RoleBinding
from apps.identity.queries import scope_of
from placet.kernel.actor import Actor

NAMELESS = "somebody without a name"  # an e-mail address is not for everybody who sees releases


@dataclass(frozen=True, slots=True)
class RoleHolders:
    """The people who hold one deciding role in an environment, by name."""

    role: str
    people: tuple[NamedPerson, ...]

    @property
    def names(self) -> str:
        """Who they are."""
        return ", ".join(person.name for person in self.people)


def with_deciders(environments: QuerySet[Environment]) -> QuerySet[Environment, Any]:
    """Read along of each environment who holds a deciding role there: themselves or by a team,
    everywhere, in the project or in the environment alone."""
    held = RoleBinding.objects.filter(
        Q(project__isnull=True)
        | Q(project=OuterRef("project"), environment="")
        | Q(project=OuterRef("project"), environment=OuterRef("name")),
        role__in=tuple(rules.ROLE_OF.values()),
    ).annotate(
        holder=Coalesce("person", "team__memberships__person"),
        holder_name=Coalesce("person__name", "team__memberships__person__name"),
    )
    active = Q(person__is_active=True) | Q(team__memberships__person__is_active=True)
    rows = held.filter(active).order_by("holder_name", "holder")
    found = rows.values(json=JSONObject(role="role", id="holder", name="holder_name"))
    return environments.annotate(deciding=ArraySubquery(found))


def deciders(environment: Any, actor: Actor) -> list[RoleHolders]:
    """Return who decides in an environment that :func:`with_deciders` read, a row for each role;
    none for who may not see the releases there."""
    if not actor.can("release.view", scope_of(environment)):
        return []
    return [
        RoleHolders(role, holders(environment.deciding, role)) for role in rules.ROLE_OF.values()
    ]


def holders(rows: list[Mapping[str, str]], role: str) -> tuple[NamedPerson, ...]:
    """Return everybody who holds ``role`` by one of ``rows``, once."""
    people = {row["id"]: row["name"] or NAMELESS for row in rows if row["role"] == role}
    return tuple(NamedPerson(pk, name, (role,)) for pk, name in people.items())
