"""Objectives and alerts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedPrediction(Record):
    """A prediction that was written down; ``unit`` is a salted hash."""

    id: str
    revision: str
    at: datetime
    unit: str | None
    cohort: str | None
    rows: int | None
    inputs: Any
    outputs: Any
    milliseconds: float | None
    outcomes: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured(Record):
    """What one revision captured over the last 24 hours, and an estimate of what is missing."""

    revision: str
    settings: dict[str, Any]
    captured: int
    expected: int
    chance: int
    missing: int
    dropped: int
    unreadable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Captures(Record):
    """How much was captured, by revision."""

    items: tuple[Captured, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure(Record):
    """The erasing of what was captured of one unit; ``erased`` counts predictions."""

    id: str
    endpoint: str
    requested_by: str
    requested_at: datetime
    done_at: datetime | None
    erased: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Record):
    """What became of a prediction; without a revision while the prediction is not there."""

    prediction: str
    name: str
    value: float
    revision: str | None
    predicted_at: datetime | None
    reported_at: datetime
    reported_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeReceipt(Record):
    """How many outcomes were matched, wait for their prediction, and were reported before."""

    counted: int
    waiting: int
    known: int
