"""The append-only log."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Json, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor(Record):
    """Who did it; ``accountable`` answers for it."""

    kind: str
    id: str
    accountable: str
    token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent(Record):
    """One event of the log."""

    index: int
    at: str
    kind: str
    sentence: str
    actor: Actor
    subject: str
    project: str | None
    environment: str | None
    data: Json
    leaf_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange(Record):
    """One row before and after."""

    key: str
    before: Json | None
    after: Json | None
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEventDetail(AuditEvent):
    """An event with its exact body and what it changed."""

    body: str
    changes: tuple[RowChange, ...]
    texts: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned(Record):
    """A signed tree head with the cosignatures of its witnesses."""

    size: int
    root: str
    note: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint(Cosigned):
    """The newest signed tree head, and the newest that witnesses cosigned."""

    cosigned: Cosigned | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness(Record):
    """Who is shown this log's checkpoints, and what it holds of them."""

    id: str
    name: str
    kind: str
    address: str
    key: str
    retain_days: int
    created_at: datetime
    size: int
    seen_at: datetime | None
    fault: str
    sentence: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedLog(Record):
    """A log of others that the installation cosigns."""

    id: str
    origin: str
    key: str
    created_at: datetime
    size: int
    cosigned_at: datetime | None
    forked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessKeys(Record):
    """The keys that witnesses and witnessed logs are given."""

    origin: str
    log_key: str
    witness_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamp(Record):
    """An authority's word that the checkpoint over ``size`` events existed ``at`` a time."""

    size: int
    authority: str
    at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampDetail(Timestamp):
    """A time stamp with what it is over (``note``) and the answer itself (RFC 3161, base64)."""

    serial: str
    note: str
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion(Record):
    """The proof that an event is in the log under a checkpoint."""

    index: int
    size: int
    leaf_hash: str
    hashes: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency(Record):
    """The proof that a larger log continues a smaller one."""

    old: int
    new: int
    old_root: str
    new_root: str
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf(Record):
    """A leaf; ``body`` is missing where the reader may not see it."""

    index: int
    leaf_hash: str
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafPage(Record):
    """Consecutive leaves."""

    items: tuple[Leaf, ...]
    next: int | None
    size: int
