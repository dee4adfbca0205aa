# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Objectives and alerts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from placet_client.records.base import Json, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(Record):
    """How a live revision stands to its objective; ``latency_ms`` is an upper bound."""

    standing: str
    reason: str
    revision: str
    requests: int
    availability: float | None
    latency_ms: float | None  # An upper bound of the quantile; None beyond the last bound
    trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective(Record):
    """What an endpoint is held to; ``now`` is ``None`` when nothing is live."""

    endpoint: str
    availability: float | None  # The least share of answers that are no 5xx, such as 0.999
    latency_ms: int | None  # A bound of the measured histogram, such as 250
    latency_quantile: float  # The least share of answers within latency_ms
    window_minutes: int
    min_requests: int  # With fewer in the window nothing is judged
    expect_traffic: bool  # Fewer requests than min_requests open an alert of their own
    roll_back: bool  # A breach rolls the endpoint back, once
    owner: str  # The person to tell; whoever sets the objective when empty
    now: Standing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Record):
    """One thing that is wrong with one subject, from its beginning to its end."""

    id: str
    kind: str
    state: str
    subject: str  # An endpoint, a target, a kind of job, or 'log'
    about: str  # The subject, as people name it
    summary: str
    answer: str  # What the platform did about it by itself, and what was measured as it ended
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
    """A prediction that was written down; ``unit`` is a salted hash.

    Inputs and outputs are ``None`` when they were over the bound.
    """

    id: str  # The header X-Placet-Prediction of the answer
    revision: str
    at: datetime
    unit: str | None  # A salted hash, not the unit itself
    cohort: str | None  # Why no split decided on the request; None where one did
    rows: int | None
    inputs: Any  # One object per row
    outputs: Any  # One answer per row
    milliseconds: float | None
    outcomes: dict[str, float]  # What was reported of it, by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured(Record):
    """What one revision captured over the last 24 hours, and an estimate of what is missing."""

    revision: str
    settings: Json
    captured: int
    expected: int  # The approved share of the answers 2xx that were counted
    chance: int  # How far chance may lead from that, 3 sigma
    missing: int  # What is missing beyond chance: an estimate
    dropped: int  # What the service had no room for
    unreadable: int  # Lines that were no prediction


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
    erased: int  # Predictions


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

    counted: int  # Matched with a captured prediction
    waiting: int  # Their prediction was not captured, or is not here yet: kept for 7 days
    known: int  # Reported before with the same value
