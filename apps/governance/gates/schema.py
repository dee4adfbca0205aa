"""``schema``: whoever calls the endpoint today can go on calling it tomorrow.

What they call is a path. Where nothing is live at it now, they called what served there last, be it
behind an endpoint of the name that was deleted since. What was recalled is nothing to go by.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members

NAME = "schema"
REPEATABLE = False


class SchemaChange(TypedDict):
    """One difference between two signatures."""

    side: str  # input, output
    name: str
    change: str
    breaking: bool


class SchemaMembers(Members):
    """There is nothing to say: a breaking change does not pass."""


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    return "No breaking change for clients"


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Compare with the signature that is live now, or was last."""
    if not facts.signature:
        return answer(gate, title(gate), "failed", "This version has no signature")
    if facts.live is None:
        return answer(
            gate,
            title(gate),
            "passed",
            "Nothing to compare with has been live here yet",
            changes=[],
        )
    name = facts.live.version.get("name", "a version")
    with_what = f"Compared with {name}, which served here last: " if facts.live.ended else ""
    if not facts.live.signature:
        what = f"{name}, which served here last," if facts.live.ended else "What is live"
        reason = f"{what} has no signature to compare with"
        return answer(gate, title(gate), "failed", reason)
    changes = compare(facts.live.signature, facts.signature)
    breaking = [c for c in changes if c["breaking"]]
    if breaking:
        reason = with_what + _words(breaking[:5])
        more = f" and {len(breaking) - 5} more" if len(breaking) > 5 else ""
        return answer(gate, title(gate), "failed", reason + more, changes=changes)
    same = (
        "inputs and outputs are the same"
        if with_what
        else "Inputs and outputs are as they are live"
    )
    reason = with_what + (_words(changes[:5]) or same)
    return answer(gate, title(gate), "passed", reason, changes=changes)


def _words(changes: list[SchemaChange]) -> str:
    return "; ".join(f"{c['side']} {c['name']} {c['change']}" for c in changes)


def compare(live: Mapping[str, Any], proposed: Mapping[str, Any]) -> list[SchemaChange]:
    """Return every difference from ``live`` to ``proposed``, inputs first."""
    return _side("input", live, proposed) + _side("output", live, proposed)


def _side(side: str, live: Mapping[str, Any], proposed: Mapping[str, Any]) -> list[SchemaChange]:
    before = {c["name"]: c for c in live.get(f"{side}s", [])}
    after = {c["name"]: c for c in proposed.get(f"{side}s", [])}
    changes: list[SchemaChange] = []
    for name, column in before.items():
        if name not in after:
            changes.append(SchemaChange(side=side, name=name, change="is removed", breaking=True))
        else:
            changes += _column(side, name, column, after[name])
    for name, column in after.items():
        if name not in before:
            required = side == "input" and column.get("required", True)
            change = "is new and required" if required else "is new"
            changes.append(SchemaChange(side=side, name=name, change=change, breaking=required))
    return changes


def _column(
    side: str, name: str, live: Mapping[str, Any], proposed: Mapping[str, Any]
) -> list[SchemaChange]:
    changes: list[SchemaChange] = []
    for member in ("type", "shape"):
        if live.get(member) != proposed.get(member):
            change = f"has another {member}: {live.get(member)} → {proposed.get(member)}"
            changes.append(SchemaChange(side=side, name=name, change=change, breaking=True))
    was, now = live.get("required", True), proposed.get("required", True)
    if side == "input" and was != now:
        change = "becomes required" if now else "becomes optional"
        changes.append(SchemaChange(side=side, name=name, change=change, breaking=bool(now)))
    return changes
