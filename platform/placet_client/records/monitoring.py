"""Objectives and alerts."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(Record):
    """How a live revision stands to its objective; ``latency_ms`` is an upper bound."""

    standing: str
    reason: str
    revision: str
    requests: int
    availability: float | None
    latency_ms: float | None
    trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective(Record):
    """What an endpoint is held to; ``now`` is ``None`` when nothing is live."""

    endpoint: str
    availability: float | None
    latency_ms: int | None
    latency_quantile: float
    window_minutes: int
    min_requests: int
    expect_traffic: bool
    roll_back: bool
    owner: str
    now: Standing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Record):
    """One thing that is wrong with one subject, from its beginning to its end."""

    id: str
    kind: str
    state: str
    subject: str
    about: str
    summary: str
    answer: str
    rollout: str | None
    project: str | None
    environment: str | None
    endpoint: str | None
    revision: str | None
    owner: str | None
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None
