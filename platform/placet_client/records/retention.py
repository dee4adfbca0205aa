# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""How long the log keeps bodies of events, legal holds, and archives."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention(Record):
    """After how many days events may be archived; ``None``: never."""

    days: int | None
    set_by: str | None
    set_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold(Record):
    """A legal hold: no event that mentions ``subject`` is archived while it stands.

    ``subject`` is an id, or '' for every event.
    """

    id: str
    name: str
    scope: str
    subject: str
    state: str
    reason: str
    placed_by: str
    created_at: datetime
    lifted_by: str
    lift_reason: str
    lifted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive(Record):
    """Old events that were moved into a file: how many, the first and the last, and the file."""

    id: str
    first: int
    last: int
    count: int
    size: int
    file: str
    bytes: int
    older_than: datetime
    created_at: datetime
