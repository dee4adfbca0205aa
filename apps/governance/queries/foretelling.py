"""What the gates of a policy would say of a Bento, as far as that is known before a request."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.governance import gates
from apps.governance.gates.facts import Facts, FreezeFact
from apps.governance.models import Freeze, PolicyRevision
from apps.governance.queries.deciders import RoleHolders
from apps.governance.queries.facts import (
    build_fact,
    describe,
    evidence_fact,
    evidence_to_pin,
    soaks_by_environment,
)
from placet.kernel import clock
from placet.kernel.actor import Actor

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
    policy: PolicyRevision, facts: Facts, deciders: Sequence[RoleHolders]
) -> list[ForetoldGate]:
    """Return what each gate of ``policy`` would say."""
    return [_gate(gate, facts, deciders) for gate in policy.document["gates"]]


def freeze_facts(freezes: Iterable[Freeze]) -> list[FreezeFact]:
    """Return freezes as the gates look at them."""
    return [FreezeFact(f.pk, f.starts_at, f.ends_at) for f in freezes]


def _gate(gate: Mapping[str, Any], facts: Facts, deciders: Sequence[RoleHolders]) -> ForetoldGate:
    if gate["gate"] == "approvals":
        return _people(gate, facts, deciders)
    if gate["gate"] in KNOWN:
        result = gates.evaluate(gate, facts)
        return ForetoldGate(result["title"], result["state"], result["reason"])
    kind = gates.GATES.get(gate["gate"])
    return ForetoldGate(kind.title(gate) if kind else str(gate["gate"]))


def _people(gate: Mapping[str, Any], facts: Facts, deciders: Sequence[RoleHolders]) -> ForetoldGate:
    """Say who could give the approvals that a gate asks for."""
    title, role = gates.GATES[gate["gate"]].title(gate), gate["role"]
    row = next((row for row in deciders if row.role == role), None)
    if row is None:
        return ForetoldGate(title)
    left_out = {facts.requester} if gate["exclude_requester"] else set()
    left_out |= {facts.author} if gate["exclude_author"] else set()
    names = [person.name for person in row.people if person.id not in left_out]
    if len(names) < gate["count"] and not row.is_cut:
        who = f"Only {', '.join(names)} could decide" if names else "Nobody could decide"
        return ForetoldGate(title, "failed", f"{who}: too few people hold the role {role}")
    more = ", …" if row.is_cut else ""
    return ForetoldGate(title, "waiting", f"Can decide: {', '.join(names)}{more}")
