"""What is recalled: a list that only grows, read alike by the platform, by nodes and by outsiders.

A recall that was seen once counts until a signed lift of that very recall is seen. What a lift
never gives back are the releases that the recall named.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from placet_verify.errors import Refused
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing, PublicKey
from placet_verify.statements import (
    LiftStatement,
    RanReceipt,
    RecalledNames,
    RecallStatement,
    StoppedReceipt,
    parse,
)
from placet_verify.statements.recall import NodeReceipt


class RecallRefused(Refused):
    """This is no recall, lift or receipt that counts."""


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Whose signatures on a permit do not count."""

    keys: frozenset[str] = frozenset()
    passkeys: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()

    def __or__(self, other: "Uncounted") -> "Uncounted":
        return Uncounted(
            self.keys | other.keys, self.passkeys | other.passkeys, self.people | other.people
        )

    @classmethod
    def by(cls, names: RecalledNames) -> "Uncounted":
        """Return what these names take away."""
        return cls(frozenset(names.keys), frozenset(names.passkeys), frozenset(names.people))


NONE = Uncounted()


def read(envelope: dsse.Envelope, ring: KeyRing) -> RecallStatement | LiftStatement:
    """Return a recall or a lift that the decision key signed; raise :class:`Refused` otherwise."""
    statement = parse(ring.verify(envelope, "decision"))
    if not isinstance(statement, RecallStatement | LiftStatement):
        raise RecallRefused("wrong_type", "this is neither a recall nor a lift")
    return statement


def receipt(envelope: dsse.Envelope, key: PublicKey, node: str) -> NodeReceipt:
    """Return what ``node`` signed with its ``key``; raise :class:`Refused` otherwise."""
    statement = parse(dsse.verify(envelope, [key], dsse.STATEMENT))
    if not isinstance(statement, RanReceipt | StoppedReceipt):
        raise RecallRefused("wrong_type", "this is no receipt of a node")
    if statement.node != node:
        raise RecallRefused("other_node", f"the receipt is of {statement.node}")
    return statement


@dataclass
class Book:
    """Recalls by id, and the lifts of them. Nothing is ever taken out."""

    recalls: dict[str, RecallStatement] = field(default_factory=dict)
    lifts: dict[str, LiftStatement] = field(default_factory=dict)

    def add(self, statements: Iterable[RecallStatement | LiftStatement]) -> bool:
        """Take in what is new; tell whether anything was. Of two with one id the first counts."""
        before = len(self.recalls) + len(self.lifts)
        for one in statements:
            if isinstance(one, RecallStatement):
                self.recalls.setdefault(one.recall, one)
            else:
                self.lifts.setdefault(one.recall, one)
        return len(self.recalls) + len(self.lifts) > before

    def lifted(self, recall: RecallStatement) -> bool:
        """Tell whether a lift names this very recall."""
        lift = self.lifts.get(recall.recall)
        return lift is not None and lift.recall_digest == recall.digest

    @property
    def standing(self) -> list[RecallStatement]:
        """The recalls that were not lifted."""
        return [one for one in self.recalls.values() if not self.lifted(one)]

    def forbids(self, *, bento_digest: str, release: str) -> RecallStatement | None:
        """Return the recall because of which this may not run, if there is one."""
        for one in self.recalls.values():
            named = bento_digest in one.names.bentos and not self.lifted(one)
            if named or release in one.names.releases:
                return one
        return None

    @property
    def uncounted(self) -> Uncounted:
        """Whose signatures do not count now."""
        uncounted = NONE
        for one in self.standing:
            uncounted |= Uncounted.by(one.names)
        return uncounted
