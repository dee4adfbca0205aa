# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Recalls, what they did, and what nodes signed."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall(Record):
    """Something that was taken back, and how far that is. Counts are of releases."""

    id: str
    project: str | None  # None: it counts everywhere
    kind: str
    what: str
    # Of the person whose decisions it takes back; of a version, or that of the Bento,
    # PROJECT/MODEL:NUMBER
    what_name: str | None
    reason: str
    state: str
    recalled_by: str
    recalled_by_name: str
    created_at: datetime
    lifted_by: str | None
    lifted_by_name: str | None
    lift_reason: str
    lifted_at: datetime | None
    releases: int  # Reached
    ran: int  # Of these, that ever ran
    confirmed: int  # Of these, by a signed receipt of the node
    open: int  # Not confirmed, or contradicted
    contradicted: int  # The node's own words deny its receipt
    statement_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided(Record):
    """A release that waits, or did, of which a recall would take something back, or took it."""

    project: str
    environment: str
    release: str
    release_number: int
    release_state: str
    decision: bool  # Decisions on it are void then
    emergency_release: bool  # Its emergency release ends


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallDetail(Recall):
    """A recall with what the decision key signed: DSSE envelopes."""

    envelope: str
    lift_envelope: str  # '' while it stands
    # Of releases that waited and did not end by it, as far as you see them: 200 at most
    voided: tuple[Voided, ...]
    voided_is_cut: bool  # There are more, which are not in the list


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
    release_state: str  # As it ended, perhaps before the recall
    target: str
    action: str | None  # None: it had ended before
    outcome: str  # What was done or had been before, in words
    # The recall that revoked it, perhaps an earlier one; None also where that is not visible to you
    revoked_by: str | None
    fallback: str | None  # The revision that serves instead
    aborted_rollout: str | None  # Of another release, that was to replace this one
    state: str
    receipt: str | None
    confirmed_at: datetime | None  # By the node's clock
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
    stands: str  # As people are told: stopped, or paused, where that is so; else its state
    target: str
    action: str | None  # None: it has ended before
    outcome: str  # What would be done or has been before, in words
    # The recall that revoked it before; None also where that is not visible to you
    revoked_by: str | None
    fallback: str | None
    aborted_rollout: str | None  # Of another release, that is to replace this one
    ran: bool  # Its node must confirm that nothing runs any more


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallPreview(Record):
    """What a recall would reach; nothing was written."""

    kind: str
    what: str
    bentos: tuple[str, ...]
    releases: tuple[Foreseen, ...]
    voided: tuple[Voided, ...]  # 200 at most
    voided_is_cut: bool  # There are more, which are not in the list


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Record):
    """What a node signed with its own key."""

    id: str
    kind: str
    node: str
    public_key: str  # Of the node then; Ed25519, base64
    target: str
    recall: str | None
    endpoint: str | None
    release: str | None
    revision: str | None
    bento_digest: str | None
    started_at: datetime | None
    at: datetime  # It ended, or nothing ran; by the node's clock
    received_at: datetime
    digest: str
    envelope: str  # DSSE, an in-toto statement
