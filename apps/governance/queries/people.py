"""Who may still decide on a release, and what the people around it are called."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from apps.governance import gates, rules
from apps.governance.approvals import Decider
from apps.governance.gates import GateResult
from apps.governance.independence import sentence
from apps.governance.models import Release
from apps.governance.queries.standing import Standings
from apps.identity.models import RoleBinding, ServiceAccount, TeamMember, User
from placet.kernel.actor import SYSTEM


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """Somebody by name. ``roles`` are the deciding roles held where the release goes."""

    id: str
    name: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleasePeople:
    """Everybody a release page names."""

    names: dict[str, str]
    deciders: tuple[NamedPerson, ...]

    def name(self, actor_id: str) -> str:
        """Return the name behind an actor id, or the id itself."""
        return self.names.get(actor_id, actor_id)


def people_around(release: Release, ids: Iterable[str]) -> ReleasePeople:
    """Return names for ``ids`` and everybody who holds a deciding role (one query, two when a
    service account is among them)."""
    wanted = {i for i in ids if i}
    bindings = _bindings(release)
    reviews, approves = (_held_by(bindings, role) for role in (rules.REVIEWER, rules.APPROVER))
    users = User.objects.annotate(
        reviews=ExpressionWrapper(reviews, BooleanField()),
        approves=ExpressionWrapper(approves, BooleanField()),
    ).filter(Q(pk__in=wanted) | Q(is_active=True) & (reviews | approves))
    names, deciders = {SYSTEM.id: SYSTEM.label}, []
    rows = users.values_list("pk", "name", "email", "is_active", "reviews", "approves")
    for pk, name, email, active, reviews, approves in rows.order_by("name", "pk"):
        names[pk] = name or email
        held = ((rules.REVIEWER, reviews), (rules.APPROVER, approves))
        roles = tuple(role for role, holds in held if holds)
        if active and roles:
            deciders.append(NamedPerson(pk, names[pk], roles))
    if services := {i for i in wanted if i.startswith("svc_")}:
        names.update(ServiceAccount.objects.filter(pk__in=services).values_list("pk", "name"))
    return ReleasePeople(names, tuple(deciders))


def _held_by(bindings: QuerySet[RoleBinding], role: str) -> Q:
    """Return the condition that somebody has ``role`` by one of these, or is in a team that has.

    It asks for no row of its own, so that the database reads the roles once and not for each
    person.
    """
    held = bindings.filter(role=role)
    teams = held.exclude(team=None).values("team")
    members = TeamMember.objects.filter(team__in=teams).values("person")
    return Q(pk__in=held.exclude(person=None).values("person")) | Q(pk__in=members)


def _bindings(release: Release) -> QuerySet[RoleBinding]:
    """Roles that decide and reach the release: everywhere, in its project or its environment."""
    return RoleBinding.objects.filter(
        Q(project__isnull=True)
        | Q(project=release.project_id, environment__in=("", release.environment.name)),
        role__in=tuple(rules.ROLE_OF.values()),
    )


@dataclass(frozen=True, slots=True)
class Barred:
    """Somebody whose role is missing and who cannot count, and why, in a sentence."""

    id: str
    name: str
    why: str


def who_opens(
    release: Release,
    people: Sequence[NamedPerson],
    *,
    results: Sequence[GateResult],
    known: Standings,
) -> list[tuple[NamedPerson, ...]]:
    """Return by gate, in the order of ``results``, who of ``people``, who have not decided, could
    give an approval that it lacks: nobody where a gate asks none, or none any more."""
    return [
        tuple(p for p in people if _opens(known.decider(release, p.id), p, gate, result))
        for gate, result in gates.paired(release.policy.document, results)
    ]


def _opens(
    decider: Decider, person: NamedPerson, gate: Mapping[str, Any], result: GateResult
) -> bool:
    missing = result["facts"].get("missing", 0)
    if gate.get("gate") != "approvals" or not missing:
        return False
    strict = missing == result["facts"].get("second_line_missing")
    return decider.opens(gate, person.roles, strict=strict)


def may_still_decide(
    people: Iterable[NamedPerson],
    by_gate: Sequence[Sequence[NamedPerson]],
    results: Sequence[Mapping[str, Any]],
) -> list[NamedPerson]:
    """Return who of ``people`` could give any approval that is missing, with the roles asked for;
    ``by_gate`` is what :func:`who_opens` says of ``results``."""
    asked = [(r["facts"]["role"], them) for r, them in zip(results, by_gate, strict=True) if them]
    roles = [(p, {str(role) for role, them in asked if p in them}) for p in people]
    return [NamedPerson(p.id, p.name, tuple(sorted(of))) for p, of in roles if of]


def barred(
    release: Release,
    people: Iterable[NamedPerson],
    *,
    missing: Iterable[str],
    known: Standings,
) -> list[Barred]:
    """Return who holds a role that is missing and cannot count, because of where they stand."""
    lacking, barred_people = set(missing), []
    for person in people:
        why = known.decider(release, person.id).why_not(set(person.roles) & lacking)
        if why:
            barred_people.append(Barred(person.id, person.name, sentence(person.name, why)))
    return barred_people
