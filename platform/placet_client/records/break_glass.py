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
    """An exception for one release. ``running``: what was started by it serves or is rolling out,
    whatever its review found: not while its endpoint is stopped.

    ``state`` is how far it went: ``opened`` awaits its co-signatures, ``confirmed`` has them and
    has not ended, used or not, ``ended`` had them and waits for its review, ``reviewed`` has that
    too, and ``lapsed`` ended, however it did, before it had them. ``standing`` is how pages and the
    command line say it, and ``how_ended`` who or what ended it.
    """

    id: str
    project: str
    release: str
    release_number: int
    release_state: str
    environment: str
    endpoint_name: str
    state: str
    # How it stands beside its review: used, it has started its release; lapsed, its time ran out
    # before it had its co-signatures
    standing: str
    # Who or what ended it: a person by hand, another policy, a recall of who signed, what became of
    # its release, its time; empty while it is open
    how_ended: str
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
