"""What a policy asks of those who decide, and what somebody is to a release.

Pure. Who counts is said by ``placet_verify.permit.quorum`` alone, as nodes and outsiders count:
gates ask it through :func:`count`, pages and decisions through :class:`Decider`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

from apps.governance.independence import RECALLED
from apps.governance.rules import ROLE_OF
from placet_verify.permit import quorum
from placet_verify.permit.quorum import ApprovalRule, RuleTally, approval_rules, gate_rules
from placet_verify.permit.standing import Standing
from placet_verify.statements import APPROVE


class Parties(NamedTuple):
    """Who asked for a release, and who made its version; others let it serve."""

    requester: str
    author: str


class MadeDecision(Protocol):
    """A decision, as far as counting looks at it."""

    @property
    def person(self) -> str:
        """Who decided."""

    @property
    def role(self) -> str:
        """As what."""

    @property
    def verdict(self) -> str:
        """What they said."""

    @property
    def passkey(self) -> bool:
        """Whether they signed it with a passkey."""

    @property
    def standing(self) -> Mapping[str, Any] | None:
        """Where they stood, if the policy asked."""


def count(
    rules: Iterable[ApprovalRule], decisions: Iterable[MadeDecision], parties: Parties
) -> list[RuleTally]:
    """Count ``decisions`` for ``rules``, as a node does with the permit. Of two decisions of one
    person the first is theirs. Raise ``ValueError`` where a standing cannot be read."""
    first: dict[str, MadeDecision] = {}
    for decision in decisions:
        first.setdefault(decision.person, decision)
    approvals = [decision for decision in first.values() if decision.verdict == APPROVE]
    return quorum.tally(
        rules,
        requester=parties.requester,
        author=parties.author,
        approvals=[(decision.person, decision.role) for decision in approvals],
        passkeys=frozenset(decision.person for decision in approvals if decision.passkey),
        standings={d.person: Standing.from_dict(d.standing) for d in approvals if d.standing},
    )


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """What the ``approvals`` gates of a policy ask, rule by rule, the stricter first."""

    rules: tuple[ApprovalRule, ...]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read it out of a policy's document."""
        return cls(tuple(approval_rules(dict(document))))

    @property
    def demands(self) -> frozenset[str]:
        """The rules about independence that it has."""
        return frozenset(demand for rule in self.rules for demand in rule.demands)

    def rules_for(self, role: str) -> list[ApprovalRule]:
        """Return what is asked of those who decide as ``role``, the stricter first."""
        return [rule for rule in self.rules if rule.role == role]

    def asks(self, role: str) -> bool:
        """Tell whether an approval as ``role`` is asked for, so that anybody gives one."""
        return any(rule.role == role for rule in self.rules)

    def passkey(self, role: str = "") -> bool:
        """Tell whether only passkeys count for ``role``; for any at all when it is ''."""
        return any(rule.passkey for rule in self.rules if role in ("", rule.role))


@dataclass(frozen=True, slots=True)
class Decider:
    """Somebody before a release: whether they count, as what, and why not."""

    person: str
    policy: ApprovalPolicy
    parties: Parties
    standing: Standing | None = None  # where they stand; without it that is not known
    recalled: bool = False  # whether what they decide was recalled

    def admitted(self, held: Collection[str]) -> list[str]:
        """Return the roles out of ``held`` for which they are not excluded as requester or author,
        wherever they stand, that of approver first. They are, unless the policy's gate for that
        role says otherwise."""
        roles = reversed(ROLE_OF.values())
        return [role for role in roles if role in held and not self._excluded(role)]

    def _excluded(self, role: str) -> bool:
        rule = next(iter(self.policy.rules_for(role)), ApprovalRule(role, 0))
        return quorum.excluded(rule, self.person, **self.parties._asdict())

    def counting(self, held: Collection[str]) -> list[str]:
        """Return the roles out of ``held`` as which they may decide: not excluded, and standing
        where the policy demands it."""
        return [
            role for role in self.admitted(held) if not self.obstacles(self.policy.rules_for(role))
        ]

    def needed(self, held: Collection[str], results: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return the roles out of ``held`` as which they could give an approval that is missing, by
        the ``results`` of the gates.

        Where all that is missing must be of the second line, only somebody of it is needed.
        """
        open_rules = {}
        for result in results:
            facts = result["facts"]
            if result["gate"] == "approvals" and (missing := facts.get("missing", 0)):
                rules = self.policy.rules_for(str(facts.get("role")))
                strict = missing == facts.get("second_line_missing")
                open_rules[str(facts.get("role"))] = rules[:1] if strict else rules
        return [
            role
            for role in self.counting(held)
            if role in open_rules and not self.obstacles(open_rules[role])
        ]

    def opens(
        self, gate: Mapping[str, Any], held: Collection[str], *, strict: bool = False
    ) -> bool:
        """Tell whether an approval of theirs by a role out of ``held`` would count for ``gate``;
        ``strict``: for what it asks of the second line alone."""
        rules = gate_rules(gate)
        taken = rules[:1] if strict else rules
        excluded = quorum.excluded(taken[0], self.person, **self.parties._asdict())
        return gate["role"] in self.counting(held) and not (excluded or self.obstacles(taken))

    def role(self, held: Collection[str], results: Iterable[Mapping[str, Any]]) -> str:
        """Return the role out of ``held`` that they decide as, '' for none: the first that is
        missing, approver before all others; where none is, one that the policy asks for at all,
        and else the last of them, mere reviewer if they are one."""
        allowed = self.counting(held)
        needed = self.needed(allowed, results)
        asked = [role for role in allowed if self.policy.asks(role)]
        return next(iter((*needed, *reversed(asked), *reversed(allowed))), "")

    def why_not(self, held: Collection[str]) -> list[str]:
        """Return why they count as none of ``held``, though they are not excluded; in words."""
        reasons: list[str] = []
        for role in self.admitted(held):
            reasons = self.obstacles(self.policy.rules_for(role))
            if not reasons:
                return []
        return reasons

    def obstacles(self, rules: Iterable[ApprovalRule]) -> list[str]:
        """Return why they satisfy none of ``rules``; nothing when they satisfy one.

        Of several the reasons of the rule that asks least are told.
        """
        if self.recalled:
            return [RECALLED]
        reasons: list[str] = []
        for rule in rules:
            reasons = quorum.obstacles(rule, self.person, self.standing, **self.parties._asdict())
            if not reasons:
                return []
        return reasons
