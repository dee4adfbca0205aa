"""Who holds a role that decides in an environment, for those who may see its releases or who has
access there."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import Coalesce, DenseRank, JSONArray

from apps.governance import rules
from apps.governance.models import Environment, PolicyRevision
from apps.governance.queries.people import NamedPerson
from apps.governance.rules import PolicyState
from apps.governance.seats import Seat
from apps.identity.models import NAMELESS, RoleBinding, User
from apps.identity.queries import scope_of
from apps.identity.trust.second_factor import (
    has_passkey,
    never_came,
    not_signed_in,
    without_factor,
)
from apps.serving.hooks import keeper
from placet.kernel.actor import Actor, Scope

MOST = 20  # of a role that are read, which is as many as a gate may ask for


@dataclass(frozen=True, slots=True)
class RoleHolders:
    """The people who hold one deciding role in an environment, by name: all, or the first few."""

    role: str
    people: tuple[NamedPerson, ...]
    is_cut: bool = False  # whether there are more

    @property
    def able(self) -> tuple[NamedPerson, ...]:
        """Those whose decisions were not recalled."""
        return tuple(person for person in self.people if not person.is_recalled)

    @property
    def names(self) -> str:
        """Who they are."""
        return ", ".join([*(person.label for person in self.people), *["…"] * self.is_cut])


def with_deciders(environments: QuerySet[Environment]) -> QuerySet[Environment, Any]:
    """Read along of each environment who holds a deciding role there: themselves or by a team,
    everywhere, in the project or in the environment alone; of each role the first few by name. And
    the gates of the policy in force, which say whom it asks."""
    published = PolicyRevision.objects.filter(
        environment=OuterRef("pk"), state=PolicyState.PUBLISHED
    )
    in_force = published.order_by("-number").values("document__gates")[:1]
    return environments.annotate(
        gates_in_force=Subquery(in_force), deciding=ArraySubquery(holding())
    )


def holding(*, without: RoleBinding | User | None = None) -> QuerySet[RoleBinding, Any]:
    """Return who holds a deciding role in an environment that a query reads: ``without`` a role, or
    a person, that does not count."""
    held = RoleBinding.objects.filter(
        Q(project__isnull=True)
        | Q(project=OuterRef("project"), environment="")
        | Q(project=OuterRef("project"), environment=OuterRef("name")),
        role__in=rules.ROLE_OF.values(),
    ).annotate(
        holder=Coalesce("person", "team__memberships__person"),
        holder_name=Coalesce("person__name", "team__memberships__person__name"),
        let_in_again=Coalesce(
            "person__reactivated_at", "team__memberships__person__reactivated_at"
        ),
        # of the member whom the row names: a condition on it would join another one
        active=Coalesce("person__is_active", "team__memberships__person__is_active"),
    )
    lacks = without_factor("holder"), has_passkey("holder"), never_came("holder"), "let_in_again"
    asked = *lacks, keeper().uncounts(OuterRef("holder"))
    left = held.filter(active=True)
    if without is not None:
        gone = Q(holder=without.pk) if isinstance(without, User) else Q(pk=without.pk)
        left = left.exclude(gone)
    named = left.annotate(named=JSONArray("role", "holder_name", "holder", *asked))
    # by a role of their own and by a team's somebody has one place alone
    place = Window(DenseRank(), partition_by="role", order_by="named")
    first = named.annotate(place=place).filter(place__lte=MOST + 1)
    return first.values("named").distinct().order_by("named")


def roles_told(actor: Actor, scope: Scope) -> Collection[str]:
    """Return the roles that decide, whose holders are told to who sees releases at ``scope``."""
    return rules.ROLE_OF.values() if actor.can("release.view", scope) else ()


def deciders(environment: Any, actor: Actor) -> list[RoleHolders]:
    """Return who decides in an environment that :func:`with_deciders` read, a row for each role;
    none for who may see neither the releases there nor who has access."""
    where = scope_of(environment)
    if not (roles_told(actor, where) or actor.can("access.view", where)):
        return []
    gates = environment.gates_in_force or ()
    signing = {g["role"] for g in gates if g["gate"] == "approvals" and g.get("passkey")}
    found = []
    for role in rules.ROLE_OF.values():
        passkey, rows = role in signing, [row for row in environment.deciding if row[0] == role]
        people = (_named(row) for row in rows[:MOST])
        asked = (p.asked_as(role, passkey=passkey, actor=actor, where=where) for p in people)
        found.append(RoleHolders(role, tuple(asked), is_cut=len(rows) > MOST))
    return found


def asked_deciders(environment: Any, actor: Actor) -> list[RoleHolders]:
    """Return those of :func:`deciders` whose role the policy in force asks for."""
    gates = environment.gates_in_force or ()
    asked = {gate["role"] for gate in gates if gate["gate"] == "approvals"}
    return [row for row in deciders(environment, actor) if row.role in asked]


def seats_there(gates: Iterable[Mapping[str, Any]], holders: Iterable[RoleHolders]) -> list[Seat]:
    """Return the seats of approvals gates, each with who of ``holders`` could take it; none of a
    role of which not everybody was read."""
    there = {row.role: row for row in holders}
    return [
        Seat(gate["role"], tuple(person.id for person in there[gate["role"]].able))
        for gate in gates
        if gate["gate"] == "approvals" and gate["role"] in there
        for _ in range(gate["count"])
        if not there[gate["role"]].is_cut
    ]


def publishers(holders: Iterable[RoleHolders]) -> RoleHolders | None:
    """Return who of ``holders`` could publish a policy draft, besides who wrote it."""
    return next((row for row in holders if row.role == rules.APPROVER), None)


def lacks_publisher(author: str, holders: Iterable[RoleHolders]) -> bool:
    """Tell whether nobody could publish a draft but ``author``, who may not."""
    row = publishers(holders)
    if not author or row is None or row.is_cut:
        return False
    return all(person.id == author for person in row.able)


def _named(row: Sequence[Any]) -> NamedPerson:
    role, name, pk, demanding, signs, absent, let_in_again, recalled = row
    again = datetime.fromisoformat(let_in_again) if let_in_again else None
    lacks = tuple(demanding), signs, not_signed_in(again) if absent else "", recalled
    return NamedPerson(pk, name or NAMELESS, (role,), *lacks)


def recalled_of(environments: Iterable[Iterable[RoleHolders]]) -> set[str]:
    """Return everybody named in any of them whose decisions do not count."""
    people = (one for rows in environments for row in rows for one in row.people)
    return {person.id for person in people if person.is_recalled}


def ids_of(environments: Iterable[Iterable[RoleHolders]]) -> set[str]:
    """Return everybody who is named in any of them."""
    return {person.id for rows in environments for row in rows for person in row.people}
