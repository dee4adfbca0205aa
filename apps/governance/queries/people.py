"""Who may still decide on a release, and what the people around it are called."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, OuterRef, Q, QuerySet

from apps.governance import gates, rules
from apps.governance.approvals import Decider
from apps.governance.gates import GateResult
from apps.governance.independence import RECALLED, WHY, sentence
from apps.governance.models import Release
from apps.governance.queries.standing import Standings
from apps.governance.seats import Seat, excluded_by
from apps.identity.models import RoleBinding, ServiceAccount, TeamMember, User
from apps.identity.queries import scope_of
from apps.identity.trust.second_factor import (
    NOT_YET,
    PASSKEY,
    SECOND_FACTOR,
    has_passkey,
    never_came,
    not_signed_in,
    told_of,
    without_factor,
)
from apps.serving.hooks import keeper
from placet.kernel.actor import SYSTEM, Actor, Scope
from placet.kernel.subqueries import among

ASKED = "requested changes"  # what is told of who did: they decide again when they are content


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """Somebody by name. ``roles`` are the deciding roles held where the release goes, ``withheld``
    those of them that demand a second factor of who has none, and ``needs`` what the reader is told
    of what they need before they can decide."""

    id: str
    name: str
    roles: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    has_passkey: bool = True
    absence: str = ""  # that they have not signed in, since they were invited or let in again
    is_recalled: bool = False  # no decision of theirs counts
    has_asked: bool = False  # for changes: nobody waits for them, who may decide again
    needs: str = ""

    @property
    def label(self) -> str:
        """Their name, and what they need first."""
        return f"{self.name} ({self.needs})" if self.needs else self.name

    def asked_as(self, role: str, *, passkey: bool, actor: Actor, where: Scope) -> "NamedPerson":
        """Return them as a gate ``where`` asks them: as ``role``, perhaps only with a ``passkey``;
        ``actor`` reads it. A recall is told to everybody, as a release tells what it voided."""
        if self.is_recalled:
            return replace(self, needs=WHY[RECALLED])
        missing = [SECOND_FACTOR] if role in self.withheld else []
        missing += [PASSKEY] if passkey and not self.has_passkey else []
        lacks = f"needs {' and '.join(missing)} first" if missing else ""
        needs = told_of(self.absence or lacks, self.id, actor, where)
        return replace(self, needs=needs or (ASKED if self.has_asked else ""))


def who_can_decide(people: Sequence[NamedPerson], most: int, *, is_cut: bool = False) -> str:
    """Say who of those asked can decide, and who could once they have what they need; of each the
    first ``most``. There are more people than these where they are ``is_cut``."""
    by_need: dict[str, list[str]] = {}
    for person in people:
        by_need.setdefault(person.needs, []).append(person.name)
    nobody = not {"", ASKED} & by_need.keys() and not is_cut
    said = ["Nobody can decide yet"] if nobody else []
    for needs, names in sorted(by_need.items()):
        if nobody and needs == NOT_YET:
            continue
        more = f"{len(names) - most} more" if len(names) > most else ""
        named = ", ".join(filter(None, [*names[:most], more, "…" if is_cut else ""]))
        hold = "Holds the role, but" if len(names) == 1 else "Hold the role, but"
        need = needs if len(names) == 1 else _of_several(needs)
        told = {"": "Can decide", ASKED: "Asked for changes and can decide again"}
        opening = (told | {NOT_YET: "Not yet"}).get(needs, f"{hold} {need}")
        said.append(f"{opening}: {named}")
    return ". ".join(said)


def _of_several(needs: str) -> str:
    for one, several in (("needs ", "need "), ("was ", "were "), ("has ", "have ")):
        needs = needs.replace(one, several, 1)
    return needs


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
    holding = {f"is_{role}": _held_by(bindings, role) for role in rules.ROLE_OF.values()}
    deciding = reduce(or_, holding.values())
    users = (
        User.objects.only("name", "is_active", "reactivated_at")
        .annotate(
            **{name: ExpressionWrapper(held, BooleanField()) for name, held in holding.items()},
            demanding=without_factor("pk"),
            signs=has_passkey("pk"),
            absent=never_came("pk"),
            recalled=keeper().uncounts(OuterRef("pk")),
        )
        .filter(Q(pk__in=wanted) | Q(is_active=True) & deciding)
    )
    names, deciders = {SYSTEM.id: SYSTEM.label}, []
    for row in users.order_by("name", "pk"):
        names[row.pk] = row.public_name
        roles = tuple(role for role in rules.ROLE_OF.values() if getattr(row, f"is_{role}"))
        if row.is_active and roles:
            absence = not_signed_in(row.reactivated_at) if row.absent else ""
            lacks = tuple(row.demanding), row.signs, absence, row.recalled
            deciders.append(NamedPerson(row.pk, row.public_name, roles, *lacks))
    if services := {i for i in wanted if i.startswith("svc_")}:
        names.update(ServiceAccount.objects.filter(pk__in=services).values_list("pk", "name"))
    return ReleasePeople(names, tuple(deciders))


def lacks_co_signers(release: Release, starter: str) -> str:
    """Say why an emergency release that ``starter`` started of ``release`` could never take effect:
    too few others approve where it goes, who took no part in it (one query). '' where enough do, or
    where none can be started. Whoever lacks a second factor or a passkey may have one by then."""
    rule = release.policy.break_glass
    if rule is None:
        return ""
    approves = _held_by(_bindings(release), rules.APPROVER)
    able = User.objects.filter(approves, ~keeper().uncounts(OuterRef("pk")), is_active=True)
    there, needed = able.exclude(pk__in=[*release.parties, starter]).count(), rule.people - 1
    if there >= needed:
        return ""
    asked = "1 approver" if needed == 1 else f"{needed} approvers"
    count = f"only {there} could" if there else "nobody could"
    return (
        f"An emergency release must be co-signed by {asked} of {release.environment.name} who did"
        f" not start it, request the release or create its version, and {count} here"
    )


def _held_by(bindings: QuerySet[RoleBinding], role: str) -> Q:
    """Return the condition that somebody has ``role`` by one of these, or is in a team that has.

    It asks for no row of its own, so that the database reads the roles once and not for each
    person.
    """
    held = bindings.filter(role=role)
    teams = held.exclude(team=None).values("team")
    members = TeamMember.objects.filter(team__in=teams).values("person")
    return Q(among(held.exclude(person=None).values("person"))) | Q(among(members))


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
    actor: Actor,
) -> list[tuple[NamedPerson, ...]]:
    """Return by gate, in the order of ``results``, who of ``people``, who have not decided, could
    give an approval that it lacks: nobody where a gate asks none, or none any more. ``actor``
    reads it."""
    where = scope_of(release)
    return [
        tuple(
            p.asked_as(gate["role"], passkey=bool(gate.get("passkey")), actor=actor, where=where)
            for p in people
            if _opens(known.decider(release, p.id), p, gate, result)
        )
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


def empty_seats(
    release: Release,
    people: Sequence[NamedPerson],
    results: Sequence[GateResult],
    known: Standings,
) -> list[Seat]:
    """Return the seats of the release that nobody has taken, with who of ``people``, who have not
    decided, could take each."""
    able = [(person.id, person.roles, known.decider(release, person.id)) for person in people]
    return [
        seat
        for gate, result in gates.paired(release.policy.document, results)
        if gate.get("gate") == "approvals"
        for seat in seats_of(
            gate,
            able,
            missing=result["facts"].get("missing", 0),
            second=result["facts"].get("second_line_missing", 0),
        )
    ]


def seats_of(
    gate: Mapping[str, Any],
    people: Iterable[tuple[str, Collection[str], Decider]],
    *,
    missing: int,
    second: int,
) -> list[Seat]:
    """Return the ``missing`` seats of an approvals gate, each with who of ``people`` (id, roles,
    and how they stand) could take it: in the ``second`` first somebody of the second line."""
    able = [(pk, held, one) for pk, held, one in people if one.opens(gate, held)]
    strict = tuple(pk for pk, held, one in able if one.opens(gate, held, strict=True))
    anybody = tuple(pk for pk, _, _ in able)
    role = str(gate["role"])
    excluded = excluded_by([gate])
    ordinary = Seat(role, anybody, excluded)
    return [Seat(role, strict, excluded)] * second + [ordinary] * (missing - second)


def may_still_decide(
    people: Iterable[NamedPerson],
    by_gate: Sequence[Sequence[NamedPerson]],
    results: Sequence[Mapping[str, Any]],
) -> list[NamedPerson]:
    """Return who of ``people`` could give any approval that is missing, with the roles asked for,
    but nobody who asked for changes; ``by_gate`` is what :func:`who_opens` says of ``results``."""
    return [person for person in _opening(people, by_gate, results) if not person.has_asked]


def may_decide_again(
    asking: Iterable[NamedPerson],
    by_gate: Sequence[Sequence[NamedPerson]],
    results: Sequence[Mapping[str, Any]],
) -> list[NamedPerson]:
    """Return who of those ``asking`` for changes, who hold a role there that decides, can do that
    now, with the roles of which they could give an approval that is missing: none where only their
    request holds the release. :func:`may_still_decide` returns the others."""
    opening = {person.id: person for person in _opening(asking, by_gate, results)}
    found = [opening.get(p.id, replace(p, roles=(), needs=ASKED)) for p in asking]
    return [person for person in found if person.needs == ASKED]


def _opening(
    people: Iterable[NamedPerson],
    by_gate: Sequence[Sequence[NamedPerson]],
    results: Sequence[Mapping[str, Any]],
) -> list[NamedPerson]:
    asked = [(r["facts"]["role"], them) for r, them in zip(results, by_gate, strict=True) if them]
    found = []
    for person in people:
        ways = [(str(role), p.needs) for role, them in asked for p in them if p.id == person.id]
        if ways:
            needs = min(needs for _, needs in ways)  # they can where they lack nothing
            roles = tuple(sorted({role for role, _ in ways}))
            found.append(replace(person, roles=roles, needs=needs))
    return found


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
