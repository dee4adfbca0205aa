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
from apps.governance.queries.people import who_can_decide
from apps.governance.queries.standing import Standings
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet_verify.permit.quorum import gate_rules

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
    return [
        _people(gate, asked, people.get(gate["role"]), known)
        if gate["gate"] == "approvals"
        else _gate(gate, facts)
        for gate in asked.policy.document["gates"]
    ]


def _gate(gate: Mapping[str, Any], facts: Facts) -> ForetoldGate:
    if gate["gate"] in KNOWN:
        result = gates.evaluate(gate, facts)
        return ForetoldGate(result["title"], result["state"], result["reason"])
    kind = gates.GATES.get(gate["gate"])
    return ForetoldGate(kind.title(gate) if kind else str(gate["gate"]))


def _people(
    gate: Mapping[str, Any], asked: Release, row: RoleHolders | None, known: Standings
) -> ForetoldGate:
    """Say who could give the approvals that a gate asks for."""
    title = gates.GATES[gate["gate"]].title(gate)
    if row is None:
        return ForetoldGate(title)
    before = [(person, known.decider(asked, person.id)) for person in row.people]
    people = [person for person, one in before if one.opens(gate, {row.role})]
    second = [person for person, one in before if one.opens(gate, {row.role}, strict=True)]
    short = len(people) < gate["count"] or len(second) < gate_rules(gate)[0].count
    if short and not row.is_cut:
        names = ", ".join(person.label for person in people)
        who = f"Only {names} could decide" if names else "Nobody could decide"
        return ForetoldGate(title, "failed", f"{who}: too few people count as {row.role}")
    return ForetoldGate(title, "waiting", who_can_decide(people, MOST, is_cut=row.is_cut))
