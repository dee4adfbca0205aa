"""Decisions under rules about independence: they say where the person stood at that instant."""

from dataclasses import dataclass
from typing import Self

from placet_verify import canonical
from placet_verify.permit.standing import Standing
from placet_verify.predicates import STANDING_DECISION_TYPE, STANDING_PASSKEY_TYPE
from placet_verify.statements.base import Json, texts
from placet_verify.statements.governance import (
    DecisionStatement,
    PasskeyDecision,
    decision_members,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingDecision(DecisionStatement):
    """A decision with the person's ``standing``."""

    TYPE = STANDING_DECISION_TYPE

    standing: Standing

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return DecisionStatement.predicate(self) | {"standing": self.standing.to_dict()}

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        standing = Standing.from_dict(predicate["standing"])
        return cls(**decision_members(predicate), standing=standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingPasskeyDecision(PasskeyDecision):
    """The same, signed with a passkey too."""

    TYPE = STANDING_PASSKEY_TYPE

    standing: Standing

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return PasskeyDecision.predicate(self) | {"standing": self.standing.to_dict()}

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        standing = Standing.from_dict(predicate["standing"])
        more = texts(predicate, "credential")
        return cls(**decision_members(predicate), **more, standing=standing)


def decision_kind(*, passkey: bool, standing: bool) -> type[DecisionStatement]:
    """Return the kind of decision that says so much."""
    if passkey:
        return StandingPasskeyDecision if standing else PasskeyDecision
    return StandingDecision if standing else DecisionStatement


def read_decision(payload: bytes, *, passkey: bool) -> DecisionStatement:
    """Read a decision that a passkey signed too, or one that none did; with standing or without."""
    members = canonical.loads(payload)
    predicate_type = members.get("predicateType") if isinstance(members, dict) else None
    richer = decision_kind(passkey=passkey, standing=True)
    return decision_kind(passkey=passkey, standing=predicate_type == richer.TYPE).parse(payload)


def standing_of(decision: DecisionStatement) -> Standing | None:
    """Return where the person stood, where the decision says so."""
    if isinstance(decision, StandingDecision | StandingPasskeyDecision):
        return decision.standing
    return None
