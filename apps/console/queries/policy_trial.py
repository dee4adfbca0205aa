"""What a policy would say of what is open and live now, in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.console.queries.page_parts import counted, in_a_row
from apps.governance import gates
from apps.governance.gates.facts import GateResult
from apps.governance.models import UNFINISHED_STATES, Environment
from apps.governance.queries.deciders import RoleHolders, deciders
from apps.governance.queries.dry_run import DryRunRow, dry_run
from placet.kernel.actor import Actor

STUCK = "no release could be approved, so it cannot be published."


@dataclass(frozen=True, slots=True)
class Trial:
    """A release that a policy was tried on."""

    row: DryRunRow

    @property
    def now(self) -> str:
        """How it stands under the policy in force."""
        return standing(self.row.before)

    @property
    def then(self) -> str:
        """How it would stand."""
        return standing(self.row.results)

    @property
    def held(self) -> list[GateResult]:
        """The gates that would hold it back."""
        return gates.holding_back(self.row.results)


@dataclass(frozen=True, slots=True)
class PolicyTrial:
    """What a policy was tried on, and what publishing it would bring about besides."""

    rows: list[Trial]
    shortages: list[str]  # why nobody could open one of its gates, a sentence each

    @property
    def dropped(self) -> str:
        """What becomes of the approvals that people signed under the policy in force."""
        count = sum(t.row.decisions for t in self.rows if t.row.release.state in UNFINISHED_STATES)
        if not count:
            return ""
        drops = counted(count, "decision")
        return (
            f"Publishing drops the {drops} on releases that have not started: people have to "
            "decide again. The test counts them as they stand."
        )


def policy_trial(place: Environment, document: Mapping[str, Any], actor: Actor) -> PolicyTrial:
    """Try a policy on what is open and live in ``place``, which was read with who decides there."""
    return PolicyTrial(
        rows=[Trial(row) for row in dry_run(place, document)],
        shortages=list(shortages(document["gates"], deciders(place, actor))),
    )


def standing(results: Sequence[GateResult]) -> str:
    """Return how a release stands by its gates: only what has failed is no waiting."""
    held = gates.holding_back(results)
    if results and not held:
        return "passed"
    failed = not results or any(gate["state"] != "waiting" for gate in held)
    return "failed" if failed else "waiting"


def shortages(policy: Iterable[Mapping[str, Any]], holders: Sequence[RoleHolders]) -> Iterator[str]:
    """Yield a sentence for each gate that asks for more people of a role than hold it, or one for
    all gates together. Publishing also looks at passkeys and at where people stand."""
    there = {row.role: row for row in holders}
    asking = [g for g in policy if g["gate"] == "approvals" and g["role"] in there]
    few = [gate for gate in asking if len(there[gate["role"]].people) < gate["count"]]
    for gate in few:
        row = there[gate["role"]]
        held = "nobody holds that role here"
        if row.people:
            people = counted(len(row.people), "person holds", "people hold")
            held = f"only {people} that role here ({row.names})"
        yield f"It asks for {counted(gate['count'], row.role)}, and {held}: {STUCK}"
    able = {person.id for gate in asking for person in there[gate["role"]].people}
    all_read = not any(there[gate["role"]].is_cut for gate in asking)
    if all_read and not few and len(able) < sum(gate["count"] for gate in asking):
        asked = in_a_row([counted(gate["count"], gate["role"]) for gate in asking])
        held = counted(len(able), "person holds", "people hold")
        yield f"It asks for {asked}, and only {held} these roles here, each deciding once: {STUCK}"
