"""Counting approvals: which people count for which gate. Server, driver and node count alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from placet_verify.errors import Malformed

DEFAULT_EXPIRY_DAYS = 14


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """One ``approvals`` gate: so many people with this role, who are not …"""

    role: str
    count: int
    exclude_requester: bool = True
    exclude_author: bool = True
    passkey: bool = False  # only decisions that the person signed with a passkey count


@dataclass(frozen=True, slots=True)
class Tally:
    """One rule and the people who count for it, each of whom counts for this rule alone."""

    rule: ApprovalRule
    people: tuple[str, ...]

    @property
    def met(self) -> bool:
        """Tell whether enough people approved."""
        return len(self.people) >= self.rule.count

    @property
    def missing(self) -> int:
        """How many more people are needed."""
        return max(0, self.rule.count - len(self.people))


def approval_rules(document: dict[str, Any]) -> list[ApprovalRule]:
    """Return the ``approvals`` gates of a policy document; raise ``Malformed`` for a wrong one."""
    gates = document.get("gates")
    if not isinstance(gates, list):
        raise Malformed("the policy has no list of gates")
    rules = []
    for gate in gates:
        if not isinstance(gate, dict) or not isinstance(gate.get("gate"), str):
            raise Malformed("a gate of the policy has no name")
        if gate["gate"] == "approvals":
            rules.append(_rule(gate))
    return rules


def tally(
    rules: Iterable[ApprovalRule],
    *,
    requester: str,
    author: str,
    approvals: Iterable[tuple[str, str]],
    passkeys: frozenset[str] = frozenset(),
) -> list[Tally]:
    """Count ``approvals`` (pairs of person and role) for ``rules``; results in their order.

    ``passkeys`` are the people who signed theirs with a passkey.

    A person counts once, whatever roles they hold: for the first rule that takes them. The
    strictest rules choose first, so that a lax rule does not use up the people a strict one needs.
    """
    left = dict.fromkeys(approvals)
    ordered = list(rules)
    counted: dict[int, Tally] = {}
    for place in sorted(range(len(ordered)), key=lambda place: -_strictness(ordered[place])):
        rule = ordered[place]
        people = [
            person
            for person, role in left
            if role == rule.role
            and not (rule.exclude_requester and person == requester)
            and not (rule.exclude_author and person == author)
            and not (rule.passkey and person not in passkeys)
        ][: rule.count]
        left = {pair: None for pair in left if pair[0] not in people}
        counted[place] = Tally(rule, tuple(people))
    return [counted[place] for place in range(len(ordered))]


def expiry_days(document: dict[str, Any]) -> float:
    """Return ``expires_after_days`` of a policy document, 14 when it says nothing."""
    days = document.get("expires_after_days", DEFAULT_EXPIRY_DAYS)
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days <= 36500:
        raise Malformed("expires_after_days must be a number above 0")
    return days


def _rule(gate: dict[str, Any]) -> ApprovalRule:
    role, count = gate.get("role"), gate.get("count", 1)
    flags = [
        gate.get("exclude_requester", True),
        gate.get("exclude_author", True),
        gate.get("passkey", False),
    ]
    if not isinstance(role, str) or not role:
        raise Malformed("an approvals gate names no role")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise Malformed("an approvals gate needs a count of 1 or more")
    if not all(isinstance(flag, bool) for flag in flags):
        raise Malformed("exclude_requester, exclude_author and passkey are true or false")
    return ApprovalRule(role, count, *flags)


def _strictness(rule: ApprovalRule) -> int:
    return rule.exclude_requester + rule.exclude_author + rule.passkey
