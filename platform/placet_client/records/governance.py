"""Environments, policies, releases and decisions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from placet_client.records.base import Json, Record
from placet_client.records.glasses import GlassDuty


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset(Record):
    """A plan that is ready to be chosen; ``refused`` says what the policy has against it."""

    name: str
    title: str
    says: str
    plan: Json
    refused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Presets(Record):
    """The plans that are ready to be chosen."""

    items: tuple[Preset, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment(Record):
    """A place to serve in, with its policy and targets."""

    id: str
    project: str
    name: str
    position: int
    targets: tuple[str, ...]
    on_state_expired: str
    on_recall: str
    plans: Json
    policy: int | None
    revision: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty(Record):
    """How few people could have a release approved in an environment.

    ``people`` are who they seem to be; ``hired`` is a smaller number with an access admin who adds
    people that do not exist.
    """

    id: str
    project: str
    environment: str
    policy: int | None
    state: str
    demanded: int
    people: int | None
    path: tuple[str, ...]
    hired: int | None
    hired_path: tuple[str, ...]
    break_glass: GlassDuty | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze(Record):
    """A time in which nothing new starts."""

    id: str
    environment: str
    reason: str
    starts_at: datetime
    ends_at: datetime | None
    created_by: str
    created_at: datetime
    lifted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Record):
    """A numbered document of gates."""

    id: str
    environment: str
    number: int
    state: str
    source: str
    document: Any
    digest: str
    drafted_by: str
    published_by: str
    published_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(Record):
    """One gate's answer; ``state`` is passed, failed, waiting or error."""

    gate: str
    title: str
    passed: bool
    state: str
    reason: str
    facts: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun(Record):
    """How one release fares under another policy."""

    release: str
    number: int
    state: str
    passes_now: bool
    passes_then: bool
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunResult(Record):
    """How open and live releases fare under another policy."""

    digest: str
    document: Any
    items: tuple[DryRun, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned(Record):
    """A piece of evidence that a request is bound to."""

    id: str
    kind: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Record):
    """A request to serve a Bento behind an endpoint, and what became of it."""

    id: str
    number: int
    project: str
    environment: str
    endpoint: str
    endpoint_id: str
    target: str
    model: str
    version: int
    version_id: str
    bento_digest: str
    policy: int
    state: str
    reason: str
    plan: Any
    serving: Any
    evidence: tuple[Pinned, ...]
    requested_by: str
    requester: str
    author: str
    request_digest: str
    gates: tuple[Gate, ...]
    not_after: datetime
    created_at: datetime
    approved_at: datetime | None
    live_at: datetime | None
    ended_at: datetime | None
    ended_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChange(Record):
    """A metric beside what is live."""

    name: str
    live: float | None
    proposed: float | None
    change: float | None
    direction: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange(Record):
    """An input or output that differs from what is live."""

    side: str
    name: str
    change: str
    breaking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency(Record):
    """A package that differs from what is live."""

    name: str
    live: str
    proposed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes(Record):
    """How a release differs from what is live."""

    compared_with: str
    metrics: tuple[MetricChange, ...]
    schema: tuple[SchemaChange, ...]
    dependencies: tuple[Dependency, ...]
    dependency_count: int
    policy_live: int | None
    policy_proposed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(Record):
    """The digests that a decision on a release is bound to."""

    request: str
    artifact: str
    bento: str
    evidence: str
    evidence_count: int
    policy: str
    policy_number: int
    plan: str
    serving: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Record):
    """A person's signed statement on a release."""

    id: str
    person: str
    name: str
    role: str
    verdict: str
    comment: str
    at: datetime
    passkey: bool
    voided_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider(Record):
    """Somebody who may still decide, and as what."""

    id: str
    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred(Record):
    """Somebody whose role is missing, and why they cannot count."""

    id: str
    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDetail(Record):
    """A release with its gates, its decisions, and what it changes."""

    release: Release
    gates: tuple[Gate, ...]
    all_passed: bool
    changes: Changes
    bound: Bound
    shared_network: str
    waits_for: str
    egress_marks: tuple[str, ...]
    decisions: tuple[Decision, ...]
    may_still_decide: tuple[Decider, ...]
    cannot_count: tuple[Barred, ...]
    missing_roles: tuple[str, ...]
    can_decide: bool
    you_decide_as: str
    you_cannot_count: str
    requester_name: str
    author_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(Record):
    """A remark on a release."""

    id: str
    author: str
    name: str
    text: str
    created_at: datetime
