"""``freeze``: nothing new starts while the environment is frozen."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members

NAME = "freeze"
REPEATABLE = False


class FreezeMembers(Members):
    """There is nothing to say: freezes are set and lifted beside the policy."""


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    return "No freeze"


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Fail during a freeze without an end, wait during one that ends by itself.

    The reason somebody gave for a freeze is sealed text and stays out of the result.
    """
    active = [f for f in facts.freezes if f.lasts(facts.now)]
    if not active:
        starts = sorted(f.starts_at for f in facts.freezes if f.starts_at > facts.now)
        reason = f"Not frozen; the next begins {_when(starts[0])}" if starts else "Not frozen"
        return answer(gate, title(gate), "passed", reason)
    shown = {"freezes": sorted(f.id for f in active)}
    ends = [f.ends_at for f in active]
    known = [e for e in ends if e is not None]
    if len(known) < len(ends):
        reason = f"{facts.environment.capitalize()} is frozen until the freeze is lifted"
        return answer(gate, title(gate), "failed", reason, **shown)
    reason = f"{facts.environment.capitalize()} is frozen until {_when(max(known))}"
    passes = max(known).isoformat()
    return answer(gate, title(gate), "waiting", reason, passes_at=passes, **shown)


def past(result: GateResult) -> str:
    """Return what it said once nothing waits for it any more: without what lay ahead then."""
    if result["state"] in ("failed", "waiting"):
        return "Frozen then"
    return "Not frozen then" if result["passed"] else result["reason"]


def _when(at: datetime) -> str:
    return f"{at.day} {at:%B %H:%M} UTC"
