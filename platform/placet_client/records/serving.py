"""Targets, endpoints, revisions and rollouts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from placet_client.records.base import Json, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Record):
    """The host of a target, as its agent last reported."""

    id: str
    alive: bool
    last_seen_at: datetime | None
    agent_version: str
    platform: Json
    problems: tuple[Json, ...]
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Record):
    """Where Bentos run."""

    id: str
    name: str
    driver: str
    site: str
    labels: dict[str, str]
    capacity_mb: int
    url: str
    on_expired: str
    owner: str  # the id of the person who answers for it
    created_at: datetime
    node: Node | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetUse(Record):
    """A project, or one environment of it, that may use a target."""

    id: str
    project: str
    environment: str  # '' for every one of the project
    note: str  # that there is no such environment yet
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken(Record):
    """A token, for once, with which an agent joins."""

    token: str
    expires_in_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision(Record):
    """One Bento behind an endpoint."""

    id: str
    number: int
    state: str
    weight: int
    release: str
    bento_digest: str
    version: str
    replicas: int
    max_replicas: int
    memory_mb: int
    created_at: datetime
    live_at: datetime | None
    ended_at: datetime | None
    phase: str
    ready_replicas: int
    applied_weight: int
    unit: Json | None
    salt: str
    detail: str
    egress: tuple[str, ...] | None  # None: approved under earlier rules
    isolation: str
    egress_counts: tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Record):
    """The stable name and address that clients call."""

    id: str
    project: str
    environment: str
    name: str
    target: str
    url: str
    no_address: str
    state: str
    health: str
    isolation: str
    api_key_required: bool
    created_at: datetime
    live_revision: str | None
    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointKey(Record):
    """An API key of an endpoint, without its secret."""

    id: str
    name: str
    created_by: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedEndpointKey(EndpointKey):
    """A key just made; ``key`` is shown this once."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction(Record):
    """What an endpoint answered."""

    status: int
    seconds: float
    revision: str
    release: str
    model: str
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Record):
    """What an analysis said at one moment, and what it rested on."""

    step: int
    at: datetime
    outcome: str
    sentence: str
    new_requests: int
    stable_requests: int
    planned_share: float
    evidence_of_another_share: float
    findings: tuple[Json, ...]
    readings: tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series(Record):
    """A rollout over time: what was planned, and what both revisions answered."""

    since: datetime
    until: datetime
    seconds: int
    growing: bool
    planned: tuple[Json, ...]
    points: tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout(Record):
    """An endpoint on its way from one revision to the next."""

    id: str
    project: str
    environment: str
    endpoint: str
    endpoint_name: str
    release: str
    kind: str
    state: str
    reason: str
    from_revision: str | None
    to_revision: str
    weights: dict[str, int]
    steps: tuple[dict[str, Any], ...]
    guard: dict[str, Any]
    step: int | None
    step_times: dict[str, str]
    paused: bool
    promoted: bool
    phase_times: dict[str, str]
    deadline: datetime
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill(Record):
    """A rehearsal of a rollback: what came of it, and how long it took."""

    id: str
    endpoint: str
    rollout: str | None
    state: str
    reason: str
    planned_for: datetime | None
    started_by: str
    seconds: float | None
    return_seconds: float | None
    answers: int | None
    failed_requests: int | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillSchedule(Record):
    """When the drills of an endpoint come round."""

    endpoint: str
    every_days: int
    hour: int
    next_at: datetime
    set_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement(Record):
    """One request to which two revisions gave different answers, one for each row."""

    id: str
    at: datetime
    inputs: Any
    stable: Any
    candidate: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreements(Record):
    """How the answers of two revisions to the same requests compare."""

    stable_revision: str | None
    candidate_revision: str
    tolerance: float
    pairs: int
    disagreements: int
    share: float | None
    items: tuple[Disagreement, ...]
