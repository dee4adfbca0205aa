# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Streams of the audit log."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Record):
    """One attempt to send a batch, or a test; ``detail`` says why it was not accepted."""

    id: int
    at: datetime
    test: bool
    first: int  # The index of its first event
    events: int
    bytes: int
    seconds: float
    accepted: bool
    detail: str  # Why it was not accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Record):
    """A stream of the log and how far it has come; without a project it is the instance's."""

    id: str
    name: str
    kind: str
    url: str
    token_file: str
    ca_file: str
    cert_file: str
    project: str | None  # None: the whole instance
    alert_after_seconds: int
    state: str  # retrying: the last attempt failed, and it is tried again at retry_at
    cursor: int  # The index of the next event
    size: int  # How many events the log has
    lag_events: int
    lag_seconds: float  # The age of the oldest event not sent yet
    failures: int  # In a row
    error: str  # The last one in words; empty when it is over
    retry_at: datetime | None
    delivered_at: datetime | None
    created_by: str
    started_by: str  # Empty: nobody let it begin yet
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDetail(Stream):
    """A stream with its last attempts, newest first."""

    deliveries: tuple[Delivery, ...]
