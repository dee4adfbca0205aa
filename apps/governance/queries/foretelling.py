"""What the gates of a policy would say of a Bento, as far as that is known before a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.governance import gates
from apps.governance.gates.facts import Facts
from apps.governance.models import Release
from apps.governance.queries.deciders import MOST, RoleHolders
from apps.governance.queries.facts import (
    build_fact,
    describe,
    evidence_fact,
    evidence_to_pin,
    soaks_by_environment,
)
from apps.governance.queries.people import seats_of, who_can_decide
from apps.governance.queries.standing import Standings
from apps.governance.seats import Seat, shortages
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet_verify.permit.quorum import gate_rules
from placet_verify.permit.standing import SECOND_LINE

# The others depend on what is asked for: its plan, its sizes, and what is live at its endpoint.
KNOWN = frozenset({"build", "scan", "evidence", "soaked", "freeze"})


@dataclass(frozen=True, slots=True)
class ForetoldGate:
    """A gate with what it would say. ``state``: passed, waiting, failed, error; '' is not known."""

    title: str
    state: str = ""
    note: str = ""


def facts_before(bento: Any, actor: Actor) -> Facts:
    """Return what gates would look at were ``bento`` asked for now (one query). It comes with its
    build and version, and with what :func:`soaks_of` reads as ``soaked``."""
    version, rows = bento.version, evidence_to_pin(bento.version_id, bento.pk)
    return Facts(
        now=clock.now(),
        bento_digest=bento.pk,
        environment="",
        requester=actor.accountable,
        author=version.author,
        version=describe(version),
        signature=version.signature,
        build=build_fact(bento),
        evidence=[evidence_fact(row) for row in rows],
        soaks=soaks_by_environment(bento.soaked),
    )


def foretold(
    asked: Release, facts: Facts, deciders: Sequence[RoleHolders], known: Standings
) -> list[ForetoldGate]:
    """Return what each gate of the policy of ``asked``, a release that nobody has asked for yet,
    would say; ``known`` is how the ``deciders`` stand towards it."""
    people = {row.role: row for row in deciders}
    lacking = _too_few(asked, people, known)
    return [
        _people(gate, asked, people.get(gate["role"]), known, lacking.get(gate["role"], ""))
        if gate["gate"] == "approvals"
        else _gate(gate, facts)
        for gate in asked.policy.document["gates"]
    ]


def _too_few(
    asked: Release, holders: Mapping[str, RoleHolders], known: Standings
) -> dict[str, str]:
    """Say by role that too few people could decide, where all who could were read."""
    names = {person.id: person.name for row in holders.values() for person in row.people}
    seats: list[Seat] = []
    for gate in asked.policy.document["gates"]:
        row = holders.get(gate["role"]) if gate["gate"] == "approvals" else None
        if row is not None and not row.is_cut:
            able = [(one.id, {row.role}, known.decider(asked, one.id)) for one in row.people]
            second = sum(one.count for one in gate_rules(gate) if SECOND_LINE in one.demands)
            seats += seats_of(gate, able, missing=gate["count"], second=second)
    return {role: short.said(names) for short in shortages(seats) for role in short.roles}


def _gate(gate: Mapping[str, Any], facts: Facts) -> ForetoldGate:
    if gate["gate"] in KNOWN:
        result = gates.evaluate(gate, facts)
        return ForetoldGate(result["title"], result["state"], result["reason"])
    kind = gates.GATES.get(gate["gate"])
    return ForetoldGate(kind.title(gate) if kind else str(gate["gate"]))


def _people(
    gate: Mapping[str, Any],
    asked: Release,
    row: RoleHolders | None,
    known: Standings,
    too_few: str,
) -> ForetoldGate:
    """Say who could give the approvals that a gate asks for."""
    title = gates.GATES[gate["gate"]].title(gate)
    if row is None:
        return ForetoldGate(title)
    if too_few:
        return ForetoldGate(title, "waiting", too_few)
    before = [(person, known.decider(asked, person.id)) for person in row.people]
    people = [person for person, one in before if one.opens(gate, {row.role})]
    return ForetoldGate(title, "waiting", who_can_decide(people, MOST, is_cut=row.is_cut))
