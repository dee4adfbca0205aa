"""Breaking the glass: one person opens an exception for one release, others confirm it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from placet_verify import canonical, times
from placet_verify.predicates import BREAK_GLASS_TYPE, PASSKEY_BREAK_GLASS_TYPE
from placet_verify.statements.base import Json, texts
from placet_verify.statements.governance import APPROVE, DecisionStatement, decision_members


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlassStatement(DecisionStatement):
    """A person lets one request start until ``until`` without the whole quorum.

    It binds all that a decision binds. Who opens it gives the reason (``comment_commitment``), and
    ``opening`` is ''; who confirms it names the opening's digest there, and so its reason and time.
    """

    TYPE = BREAK_GLASS_TYPE

    until: datetime
    opening: str

    def __post_init__(self) -> None:
        DecisionStatement.__post_init__(self)
        if self.verdict != APPROVE:
            raise ValueError("whoever breaks the glass approves")
        if self.opening and not canonical.is_digest(self.opening):
            raise ValueError("opening must be sha256: and 64 hex digits, or nothing")
        if not self.opening and not self.comment_commitment:
            raise ValueError("whoever opens it gives a reason")

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        members = DecisionStatement.predicate(self)
        return members | {"until": times.rfc3339(self.until), "opening": self.opening}

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        return cls(**_members(predicate))


def _members(predicate: Json) -> Json:
    members = decision_members(predicate) | texts(predicate, "opening")
    return members | {"until": times.parse(predicate["until"])}


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyBreakGlass(BreakGlassStatement):
    """The same, signed with the person's passkey too: the one named ``credential``."""

    TYPE = PASSKEY_BREAK_GLASS_TYPE

    credential: str

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return BreakGlassStatement.predicate(self) | {"credential": self.credential}

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        return cls(**_members(predicate), **texts(predicate, "credential"))
