"""``approvals``: so many people of a role have approved, none of them the requester or author."""

from collections.abc import Mapping
from typing import Any

from apps.governance.gates.facts import DecisionFact, Facts, GateResult, answer
from apps.governance.gates.fields import Fields

NAME = "approvals"
REPEATABLE = True
_NUMBERS = ("no", "one", "two", "three", "four", "five")


def normalise(raw: Mapping[str, Any]) -> dict[str, Any]:
    """``role``, ``count``, whether requester and author are excluded (they are), and whether only
    what was signed with a passkey counts (``passkey``; no)."""
    fields = Fields(raw)
    fields.choice("role", ("reviewer", "approver"))
    fields.integer("count", 1, 20, default=1)
    fields.flag("exclude_requester", default=True)
    fields.flag("exclude_author", default=True)
    if "passkey" in raw:  # a document without it keeps the digest that it had
        fields.flag("passkey", default=False)
    return fields.done()


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    by = " by passkey" if gate.get("passkey") else ""
    return _people(gate["count"], gate["role"]).capitalize() + by


def excluded(gate: Mapping[str, Any], requester: str, author: str) -> frozenset[str]:
    """Return the people whose decision this gate does not count."""
    out = {requester} if gate.get("exclude_requester", True) else set()
    return frozenset(out | ({author} if gate.get("exclude_author", True) else set()))


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Count distinct people; a rejection outweighs every approval."""
    role, count = gate["role"], gate["count"]
    rejected = sorted(d.person for d in facts.decisions if d.verdict != "approve")
    by = counted(gate, facts)
    shown = {"role": role, "count": count, "by": by, "missing": max(0, count - len(by))}
    if rejected:
        return answer(gate, title(gate), "failed", "Somebody rejected it", **shown)
    if len(by) < count:
        reason = f"Waiting for {_people(count - len(by), role)}"
        if by:
            reason += f"; {len(by)} of {count} approved"
        return answer(gate, title(gate), "waiting", reason, **shown)
    reason = f"Approved by {_people(len(by), role)}"
    return answer(gate, title(gate), "passed", reason, **shown)


def counted(gate: Mapping[str, Any], facts: Facts) -> list[str]:
    """Return the people whose approval counts here, each once over all roles."""
    first: dict[str, DecisionFact] = {}
    for decision in facts.decisions:
        first.setdefault(decision.person, decision)
    out = excluded(gate, facts.requester, facts.author)
    return sorted(
        p
        for p, d in first.items()
        if d.role == gate["role"]
        and d.verdict == "approve"
        and p not in out
        and (d.passkey or not gate.get("passkey"))
    )


def _people(count: int, role: str) -> str:
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} {role}{'s' * (count != 1)}"
