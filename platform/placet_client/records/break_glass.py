# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Break-glasses."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassSigner(Record):
    """One person who opened a break-glass (responder) or confirmed it (approver)."""

    person: str
    name: str
    role: str
    comment: str
    passkey: bool  # The person signed it with a passkey
    at: datetime
    void: bool  # A recall took it back: it does not count


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass(Record):
    """An exception for one release. ``running``: what was started by it serves, whatever its
    review found: not while its endpoint is stopped."""

    id: str
    project: str
    release: str
    release_number: int
    release_state: str
    environment: str
    endpoint_name: str
    state: str
    reason: str
    people: int
    signers: tuple[GlassSigner, ...]
    statement_digest: str
    opening_digest: str
    opened_at: datetime
    until: datetime
    confirmed_at: datetime | None
    used_at: datetime | None
    ended_at: datetime | None
    running: bool
    review: str
    review_due_at: datetime | None
    reviewed_at: datetime | None
    reviewer: str
    finding: str
    findings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassDuty(Record):
    """Whom a policy demands to break the glass, how few could, and what is skipped then."""

    demanded: int
    hours: int  # The longest that one lasts
    skip: tuple[str, ...]
    people: int | None
    path: tuple[str, ...]
