"""Recalls and what nodes answer them with.

The decision key signs that something is recalled and that a recall is lifted; a node signs with
its own key what ran on it, and that nothing runs any more of what was recalled.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self

from placet_verify import canonical, times
from placet_verify.predicates import LIFT_TYPE, RAN_TYPE, RECALL_TYPE, STOPPED_TYPE
from placet_verify.statements.base import Json, Statement, an_object, text_list, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalledNames:
    """What a recall takes away: Bentos by digest, releases by id, and whose signatures on permits
    no longer count: keys and passkeys by id, people by theirs. Each is sorted."""

    bentos: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    passkeys: tuple[str, ...] = ()
    people: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, values in asdict(self).items():
            if list(values) != sorted(set(values)):
                raise ValueError(f"{name} must be sorted, each once")

    @classmethod
    def of(cls, **names: Iterable[str]) -> Self:
        """Return names in the order that they are signed in."""
        return cls(**{name: tuple(sorted(set(values))) for name, values in names.items()})

    def to_dict(self) -> dict[str, list[str]]:
        """Return the members of the JSON form."""
        return {name: list(values) for name, values in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallStatement(Statement):
    """``what`` of this ``kind`` is recalled by a person; ``names`` are what must not run or count.

    ``project`` is '' where it counts everywhere; ``reason`` is the commitment to the text.
    """

    TYPE = RECALL_TYPE

    recall: str
    project: str
    kind: str
    what: str
    names: RecalledNames
    by: str
    reason: str
    at: datetime

    def subject(self) -> dict[str, str]:
        """Return the digest of what is named."""
        return {"recalled": canonical.digest(self.names.to_dict())}

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return {
            "recall": self.recall,
            "project": self.project,
            "kind": self.kind,
            "what": self.what,
            "names": self.names.to_dict(),
            "by": self.by,
            "reason": self.reason,
            "at": times.rfc3339(self.at),
        }

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        members = an_object(predicate, "names")
        names = {name: tuple(text_list(members, name)) for name in asdict(RecalledNames())}
        return cls(
            **texts(predicate, "recall", "project", "kind", "what", "by", "reason"),
            names=RecalledNames(**names),
            at=times.parse(predicate["at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftStatement(Statement):
    """The recall whose statement has this digest no longer takes anything away but the releases
    that it named: those stay revoked."""

    TYPE = LIFT_TYPE

    recall: str
    recall_digest: str
    by: str
    reason: str
    at: datetime

    def subject(self) -> dict[str, str]:
        """Return the digest of the recall's statement."""
        return {"recall": self.recall_digest}

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return {
            "recall": self.recall,
            "by": self.by,
            "reason": self.reason,
            "at": times.rfc3339(self.at),
        }

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate and subject."""
        return cls(
            **texts(predicate, "recall", "by", "reason"),
            recall_digest=subject["recall"],
            at=times.parse(predicate["at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RanReceipt(Statement):
    """A Bento ran on a node, behind an endpoint, from its first process to its last."""

    TYPE = RAN_TYPE

    node: str
    target: str
    endpoint: str
    release: str
    revision: str
    bento_digest: str
    started_at: datetime
    ended_at: datetime

    def __post_init__(self) -> None:
        if self.ended_at < self.started_at:
            raise ValueError("it ended before it started")

    @property
    def at(self) -> datetime:
        """When the node knew it."""
        return self.ended_at

    def subject(self) -> dict[str, str]:
        """Return the Bento."""
        return {"bento": self.bento_digest}

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return {
            "node": self.node,
            "target": self.target,
            "endpoint": self.endpoint,
            "release": self.release,
            "revision": self.revision,
            "started_at": times.rfc3339(self.started_at),
            "ended_at": times.rfc3339(self.ended_at),
        }

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate and subject."""
        return cls(
            **texts(predicate, "node", "target", "endpoint", "release", "revision"),
            bento_digest=subject["bento"],
            started_at=times.parse(predicate["started_at"]),
            ended_at=times.parse(predicate["ended_at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedReceipt(Statement):
    """Of what a recall names no process is left on a node and nothing listens, ``at`` this moment.

    ``recall_digest`` is of the recall's statement, as the node verified it.
    """

    TYPE = STOPPED_TYPE

    node: str
    target: str
    recall: str
    recall_digest: str
    at: datetime

    def subject(self) -> dict[str, str]:
        """Return the digest of the recall's statement."""
        return {"recall": self.recall_digest}

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return {
            "node": self.node,
            "target": self.target,
            "recall": self.recall,
            "at": times.rfc3339(self.at),
        }

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate and subject."""
        return cls(
            **texts(predicate, "node", "target", "recall"),
            recall_digest=subject["recall"],
            at=times.parse(predicate["at"]),
        )


NodeReceipt = RanReceipt | StoppedReceipt
