# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Who was asked by name to review a release, and who stands in for people who are away."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Away(Record):
    """Until when somebody is away, and who stands in for them: nobody is named who holds no role
    that decides there."""

    until: datetime
    deputy: str
    name: str
    passed_over: str  # Why the deputy cannot stand in, or ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer(Record):
    """Somebody who was asked by name to review a release. ``state`` is closed where the release did
    not wait for them, and cannot_decide where nobody does: they lost the role or access."""

    id: str  # Of the review request
    person: str
    name: str
    requested_by: str
    requested_by_name: str
    requested_at: datetime
    due_at: datetime | None
    state: str  # asked, overdue, decided, closed, cannot_decide
    away: Away | None  # While they are away
    verdict: str  # What they decided, or ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewers(Record):
    """Everybody who was asked by name to review a release, the first asked first."""

    items: tuple[Reviewer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence(Record):
    """Between when somebody is away; ``deputy`` is a person's id."""

    deputy: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deputy(Record):
    """Somebody who may stand in."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAbsence(Record):
    """When you are away or will be (``None``: not), and who may stand in for you."""

    absence: Absence | None
    deputy_name: str  # Of who stands in, or ''
    deputy_can: bool  # false: nobody stands in, the deputy decides nowhere any more where you do
    may_stand_in: tuple[Deputy, ...]
