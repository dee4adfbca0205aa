"""``soaked``: the same Bento, byte for byte, was live in an earlier environment for a time."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, ValidationInfo

from apps.governance.gates.facts import Facts, GateResult, SoakFact, answer
from apps.governance.gates.members import Members, is_name
from apps.governance.parts import ReadBy, rule, wrong
from placet.kernel.durations import seconds, spell

NAME = "soaked"
REPEATABLE = True


def _duration(value: Any, _: ValidationInfo) -> str:
    try:
        seconds(value if isinstance(value, str) else "")
    except ValueError as error:
        raise wrong(((), str(error))) from None
    return str(value)


class SoakedMembers(Members):
    """Where it was live, and for how long: 60s, 5m, 1h, 7d."""

    environment: Annotated[
        str, rule(is_name, "must be a name of small letters, digits, '-' and '_'")
    ]
    duration: Annotated[str, ReadBy(_duration), Field(alias="for")]


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    return f"Soaked in {gate['environment']} for {spell(seconds(gate['for']))}"


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Take the longest stretch; one that goes on makes the gate wait, not fail."""
    wanted, name = timedelta(seconds=seconds(gate["for"])), gate["environment"]
    stretches = list(facts.soaks.get(name, ()))
    if not stretches:
        reason = f"This Bento has not been live in {name}"
        return answer(gate, title(gate), "failed", reason, seconds=0)
    longest = max(stretches, key=lambda s: _length(s, facts))
    lived = _length(longest, facts)
    shown = {"seconds": int(lived.total_seconds()), "release": longest.release}
    said = f"Live in {name} for {spell(int(lived.total_seconds()))}"
    if lived >= wanted:
        return answer(gate, title(gate), "passed", said, **shown)
    going_on = [s for s in stretches if s.ended_at is None]
    if not going_on:
        reason = f"{said}, not long enough"
        return answer(gate, title(gate), "failed", reason, **shown)
    at = min(s.live_at for s in going_on) + wanted
    reason = f"{said} so far; passes at {at:%H:%M:%S} UTC on {at.day} {at:%B}"
    return answer(gate, title(gate), "waiting", reason, passes_at=at.isoformat(), **shown)


def past(result: GateResult) -> str:
    """Return what it said once nothing waits for it any more: without what lay ahead then."""
    if result["state"] != "waiting":
        return result["reason"]
    return f"Live there for {spell(result['facts'].get('seconds', 0))}, not long enough"


def _length(soak: SoakFact, facts: Facts) -> timedelta:
    return (soak.ended_at or facts.now) - soak.live_at
