"""Recalls, what they did, and what nodes signed."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall(Record):
    """Something that was taken back, and how far that is. Counts are of releases."""

    id: str
    project: str | None
    kind: str
    what: str
    reason: str
    state: str
    recalled_by: str
    created_at: datetime
    lifted_by: str | None
    lift_reason: str
    lifted_at: datetime | None
    releases: int
    ran: int
    confirmed: int
    open: int
    contradicted: int
    statement_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallDetail(Recall):
    """A recall with what the decision key signed."""

    envelope: str
    lift_envelope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallEffect(Record):
    """What a recall did to one release."""

    id: str
    project: str
    environment: str
    endpoint: str
    endpoint_name: str
    release: str
    release_number: int
    target: str
    action: str
    fallback: str | None
    state: str
    receipt: str | None
    confirmed_at: datetime | None
    contradiction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen(Record):
    """What would become of one release."""

    project: str
    environment: str
    endpoint: str
    endpoint_name: str
    release: str
    release_number: int
    release_state: str
    target: str
    action: str
    fallback: str | None
    ran: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallPreview(Record):
    """What a recall would reach."""

    kind: str
    what: str
    bentos: tuple[str, ...]
    releases: tuple[Foreseen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Record):
    """What a node signed with its own key."""

    id: str
    kind: str
    node: str
    public_key: str
    target: str
    recall: str | None
    endpoint: str | None
    release: str | None
    revision: str | None
    bento_digest: str | None
    started_at: datetime | None
    at: datetime
    received_at: datetime
    digest: str
    envelope: str
