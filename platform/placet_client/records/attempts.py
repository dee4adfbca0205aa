# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""What became of earlier releases of a version."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record
from placet_client.records.serving import (
    PassedOver,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptDecision(Record):
    """What somebody decided on an earlier release."""

    person: str
    name: str
    role: str
    verdict: str
    comment: str
    at: datetime
    voided_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Record):
    """An earlier release of the same version and what became of it, or a rollout of it that ended
    badly before it was tried again."""

    release: str
    number: int
    environment: str
    endpoint: str
    is_same_build: bool  # It has the same Bento
    is_own: bool  # It is an earlier rollout of this very release
    requested_by: str
    requester_name: str
    requested_at: datetime
    decisions: tuple[AttemptDecision, ...]
    rollout: str  # Its id; '' where it never started
    outcome: str  # As the state of a release, stopped among them
    by: str  # Who ended it; '' where nobody is known to have
    by_name: str
    reason: str  # Why; '' where it is not known, or not told to you
    at: datetime
    first_live_at: datetime | None  # When it was live for the first time; None: it never was
    live_at: datetime | None  # The same, or later where it was started or gone back to since
    ended_at: datetime | None
    passed_over: tuple[PassedOver, ...]  # Analyses that people signed and its rollout went past


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts(Record):
    """The attempts before a release."""

    # The worst that became of them before this release was decided, in a sentence; '' where none
    # ended badly
    worst: str
    items: tuple[Attempt, ...]  # The last one first
    is_cut: bool  # There were more, which are not in the list
