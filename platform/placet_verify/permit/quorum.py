"""Who counts for which gate, and counting them. Pages, gates, drivers and nodes ask here alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from placet_verify.errors import Malformed
from placet_verify.numbers import is_number, is_whole
from placet_verify.permit.standing import DEMANDS, SECOND_LINE, TITLES, UNKNOWN, Standing

DEFAULT_EXPIRY_DAYS = 14


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """An ``approvals`` gate, or some of its places: so many people with this role, who are not …

    ``demands`` are the rules of independence that each of them meets, in the order of
    :data:`placet_verify.permit.standing.DEMANDS`.
    """

    role: str
    count: int
    exclude_requester: bool = True
    exclude_author: bool = True
    passkey: bool = False  # only decisions that the person signed with a passkey count
    demands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleTally:
    """One rule and the people who count for it, each of whom counts for this rule alone.

    ``spare`` are those who would as well, if it needed more.
    """

    rule: ApprovalRule
    people: tuple[str, ...]
    spare: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Tell whether enough people approved."""
        return len(self.people) >= self.rule.count

    @property
    def missing(self) -> int:
        """How many more people are needed."""
        return max(0, self.rule.count - len(self.people))


def approval_rules(document: dict[str, Any]) -> list[ApprovalRule]:
    """Return the ``approvals`` gates of a policy document; raise ``Malformed`` for a wrong one.

    One that wants some of its people from the second line is two rules: theirs, and the rest.
    """
    gates = document.get("gates")
    if not isinstance(gates, list):
        raise Malformed("the policy has no list of gates")
    rules = []
    for gate in gates:
        if not isinstance(gate, dict) or not isinstance(gate.get("gate"), str):
            raise Malformed("a gate of the policy has no name")
        if gate["gate"] == "approvals":
            rules += gate_rules(gate)
    return rules


def tally(
    rules: Iterable[ApprovalRule],
    *,
    requester: str,
    author: str,
    approvals: Iterable[tuple[str, str]],
    passkeys: frozenset[str] = frozenset(),
    standings: Mapping[str, Standing] | None = None,
) -> list[RuleTally]:
    """Count ``approvals`` (pairs of person and role) for ``rules``; results in their order.

    ``passkeys`` are the people who signed theirs with a passkey, ``standings`` where each of them
    stood; of whom nothing is said there, nothing is known.

    A person counts once, whatever roles they hold: for the first rule that takes them. The
    strictest rules choose first, so that a lax rule does not use up the people a strict one needs.
    """
    left = dict.fromkeys(approvals)
    ordered, known = list(rules), standings or {}

    def who_count(rule: ApprovalRule) -> list[str]:
        return [
            person
            for person, role in left
            if role == rule.role
            and not excluded(rule, person, requester=requester, author=author)
            and not (rule.passkey and person not in passkeys)
            and not obstacles(rule, person, known.get(person), requester=requester, author=author)
        ]

    counted: dict[int, list[str]] = {}
    for index in sorted(range(len(ordered)), key=lambda index: -_strictness(ordered[index])):
        counted[index] = who_count(ordered[index])[: ordered[index].count]
        left = {pair: None for pair in left if pair[0] not in counted[index]}
    return [
        RuleTally(rule, tuple(counted[index]), tuple(who_count(rule)))
        for index, rule in enumerate(ordered)
    ]


def excluded(rule: ApprovalRule, person: str, *, requester: str, author: str) -> bool:
    """Tell whether ``person`` is the requester or the author, where these do not count."""
    return (rule.exclude_requester and person == requester) or (
        rule.exclude_author and person == author
    )


def obstacles(
    rule: ApprovalRule, person: str, standing: Standing | None, *, requester: str, author: str
) -> list[str]:
    """Return which of a rule's demands ``person`` does not meet, a word for each; without a
    ``standing`` none of them is met."""
    known = standing or UNKNOWN
    words = [
        known.obstacle(demand, person=person, requester=requester, author=author)
        for demand in rule.demands
    ]
    return [word for word in words if word]


def expiry_days(document: dict[str, Any]) -> float:
    """Return ``expires_after_days`` of a policy document, 14 when it says nothing."""
    days = document.get("expires_after_days", DEFAULT_EXPIRY_DAYS)
    if not is_number(days, 0, 36500) or not days:
        raise Malformed("expires_after_days must be a number above 0")
    return days


def gate_rules(gate: Mapping[str, Any]) -> list[ApprovalRule]:
    """Return the rules of one ``approvals`` gate, the stricter first."""
    role, count = gate.get("role"), gate.get("count", 1)
    flags = [
        gate.get("exclude_requester", True),
        gate.get("exclude_author", True),
        gate.get("passkey", False),
    ]
    if not isinstance(role, str) or not role:
        raise Malformed("an approvals gate names no role")
    if not is_whole(count, 1):
        raise Malformed("an approvals gate needs a count of 1 or more")
    if not all(isinstance(flag, bool) for flag in flags):
        raise Malformed("exclude_requester, exclude_author and passkey are true or false")
    demands = [gate.get(name, False) for name in DEMANDS[1:]]
    if not all(isinstance(flag, bool) for flag in demands):
        raise Malformed(f"{', '.join(DEMANDS[1:])} are true or false")
    rest = tuple(name for name, flag in zip(DEMANDS[1:], demands, strict=True) if flag)
    second = _second(gate.get(SECOND_LINE, 0), count)
    rule = ApprovalRule(role, count, *flags)
    rules = [
        replace(rule, count=second, demands=(SECOND_LINE, *rest)),
        replace(rule, count=count - second, demands=rest),
    ]
    return [one for one in rules if one.count]


def _second(wanted: object, count: int) -> int:
    """Return how many of ``count`` are of the second line: a number of them, or ``all``."""
    if wanted == "all":
        return count
    if not is_whole(wanted, 0, count):
        raise Malformed("second_line is all, or a number up to the count")
    return wanted


def said(rule: ApprovalRule) -> str:
    """Return in words what is asked of each of a rule's people beside the role."""
    words = (["with a passkey"] if rule.passkey else []) + [TITLES[one] for one in rule.demands]
    return " " + ", ".join(words) if words else ""


def _strictness(rule: ApprovalRule) -> int:
    flags = rule.exclude_requester + rule.exclude_author + rule.passkey
    return flags + len(rule.demands)
