# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""The append-only log."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Json, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor(Record):
    """Who did it. ``accountable`` is the person who answers for a service account."""

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
    """One row before and after an event."""

    key: str
    before: Json | None
    after: Json | None
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEventDetail(AuditEvent):
    """An event with what it changed; ``body`` is the very text whose hash is the leaf."""

    body: str
    changes: tuple[RowChange, ...]
    texts: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned(Record):
    """A signed tree head, as a C2SP note with the cosignatures of its witnesses."""

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
    """Who is shown this log's checkpoints, and what it holds of them.

    ``fault`` is ``ahead`` when it saw more events than there are, ``forked`` when it saw others,
    and ``sentence`` says it in words; ``error`` says why it did not answer the last time.
    """

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
    """A log of others that the installation cosigns; ``forked``: it showed two histories."""

    id: str
    origin: str
    key: str
    created_at: datetime
    size: int
    cosigned_at: datetime | None
    forked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessKeys(Record):
    """What others are given: the key of this log, and the one that it cosigns theirs with."""

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
    """A time stamp, opened.

    ``note`` is what was stamped, byte for byte; ``reply`` (base64) the answer of the authority as
    RFC 3161 has it, which ``openssl ts -verify`` takes.
    """

    serial: str
    note: str
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion(Record):
    """The proof that an event is in the log under a signed checkpoint (RFC 6962)."""

    index: int
    size: int
    leaf_hash: str
    hashes: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency(Record):
    """The proof that a larger log continues a smaller one (RFC 6962)."""

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
    """Consecutive leaves; ``next`` is where the next ones begin, ``None`` at the end."""

    items: tuple[Leaf, ...]
    next: int | None
    size: int
