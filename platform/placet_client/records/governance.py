# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Environments, policies, releases and decisions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from placet_client.records.base import Json, Record
from placet_client.records.break_glass import GlassDuty
from placet_client.records.reviews import Reviewer
from placet_client.records.serving import (
    ToldRecall,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset(Record):
    """A plan that is ready to be chosen: one of the environment's own, or one of everybody's.
    ``refused`` says what the policy has against it."""

    name: str  # What a release asks for it by: {"preset": name}
    title: str
    says: str
    plan: Json
    refused: str  # What the policy in force has against it, or ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Presets(Record):
    """The plans that are ready to be chosen."""

    items: tuple[Preset, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment(Record):
    """A place to serve in, with its targets and its policy in force (``None``: nothing passes)."""

    id: str
    project: str
    name: str
    position: int
    targets: tuple[str, ...]  # Names of the targets, in order.
    on_state_expired: str  # serve or stop
    on_recall: str  # fall_back or stop, when what is live is recalled
    plans: Json  # Its own plans, ready to be chosen by their names
    promote: dict[str, str]
    # Within how many days who is asked by name to review is to answer, unless they who ask say
    # otherwise; None for no due date
    review_days: int | None
    policy: int | None  # Number of the policy in force.
    revision: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty(Record):
    """How few people could have a release approved in an environment.

    ``state`` is kept, bypass (fewer than demanded), locked_out (nobody could satisfy the policy),
    waiting (nobody can under the policy in force until people who were invited or let in again have
    signed in, people have set up a second factor, or a recall of somebody's decisions is withdrawn)
    or no_policy. ``people`` are who they
    seem to be; ``hired`` is a smaller number with an access admin who adds people that do not
    exist. ``None``: no set of so few was found.
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
    # The roles as which too few people could decide whoever takes part; empty: none
    missing_roles: tuple[str, ...]
    role_givers: tuple[str, ...]  # Who gives roles there, by name, as far as you see
    break_glass: GlassDuty | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze(Record):
    """A time in which nothing new starts; ``lifted_at`` is ``None`` while it stands."""

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
    """A numbered document of gates: the source as written, and the document it means."""

    id: str
    environment: str
    number: int
    state: str  # draft, published or withdrawn
    # As pages say it: draft, withdrawn, active, or superseded by a later revision
    standing: str | None
    source: str
    document: Any
    digest: str
    drafted_by: str
    published_by: str
    published_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDetail(Record):
    """A policy revision, and what keeps a draft from being published."""

    id: str
    environment: str
    number: int
    state: str  # draft, published or withdrawn
    # As pages say it: draft, withdrawn, active, or superseded by a later revision
    standing: str | None
    source: str
    document: Any
    digest: str
    drafted_by: str
    published_by: str
    published_at: datetime | None
    created_at: datetime
    # Why a draft cannot be published as roles are held now, as far as you may know, and who is to
    # do what; '' where it can, and of what is no draft any more
    cannot_publish: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(Record):
    """One gate's answer; ``state`` is passed, failed, waiting, error or skipped."""

    gate: str
    title: str
    passed: bool
    state: str  # passed, failed, waiting, error or skipped
    reason: str
    facts: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun(Record):
    """How one open or live release fares under the policy in force, and under another."""

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
    """A request to serve a Bento behind an endpoint, and what became of it. ``gates`` is the
    last evaluation."""

    id: str
    number: int
    project: str
    environment: str
    endpoint: str
    endpoint_id: str
    target: str  # Where it runs
    model: str
    version: int
    version_id: str
    bento_digest: str
    policy: int
    state: str
    is_stopped: bool  # It is live behind an endpoint that is stopped: it answers nobody
    # How lists tell its state: stopped where it is_stopped; of what is requested failed where a
    # gate has failed, and held where changes are requested
    stands: str
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
    """A metric of what is proposed, beside what is live."""

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
    """A locked package whose version differs from what is live."""

    name: str
    live: str
    proposed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes(Record):
    """How a release differs from what is live, or was when it was decided."""

    # What is live at its endpoint, and once it is decided what was live then; '' for nothing
    compared_with: str
    metrics: tuple[MetricChange, ...]
    schema: tuple[SchemaChange, ...]
    dependencies: tuple[Dependency, ...]
    dependency_count: int
    policy_live: int | None
    policy_proposed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(Record):
    """The digests that a decision on a release is bound to; ``request`` names them all."""

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
    passkey: bool  # The person signed it with a passkey
    voided_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Record):
    """A request for changes on a former release that a newer one answers."""

    id: str
    person: str
    name: str
    role: str
    at: datetime
    comment: str
    release: str
    number: int
    state: str  # Of that release
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Record):
    """The newest release that answers requests for changes on a former one."""

    release: str
    number: int
    version: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider(Record):
    """Somebody who may still decide, and as what."""

    id: str
    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDecider(Record):
    """Somebody whose decision a release waits for, and what they need before they can decide."""

    id: str
    name: str
    roles: tuple[str, ...]
    needs: str  # What they need first, as far as you may know, or '': they can decide now


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred(Record):
    """Somebody whose role is missing, and why they cannot count."""

    id: str
    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDetail(Record):
    """A release with everything a person sees before deciding; ``gates`` as they stand now."""

    release: Release
    gates: tuple[Gate, ...]
    all_passed: bool
    changes: Changes
    bound: Bound
    shared_network: str  # Why its replicas are not kept from the network, or ''
    waits_for: str  # What it waits for beside its gates, its turn or room on its target, or ''
    overtaken_by: int | None  # The newest release that went live since it was approved, by number
    # Private, link-local and metadata addresses among its destinations
    egress_marks: tuple[str, ...]
    decisions: tuple[Decision, ...]
    # Who could give an approval that is missing, now or once they can; nobody where none is
    # missing, though the release may be held still
    may_still_decide: tuple[AskedDecider, ...]
    # Who requested changes and can decide again now, with the roles of which they could give an
    # approval that is missing
    may_decide_again: tuple[Decider, ...]
    # Until what the requests for changes hold it; where nobody can lift them as roles are held now,
    # how it ends all the same. '' where none holds it
    held: str
    cannot_count: tuple[Barred, ...]
    reviewers: tuple[Reviewer, ...]  # Who was asked by name
    may_be_asked: tuple[Decider, ...]  # Who can be asked by name
    missing_roles: tuple[str, ...]
    too_few_people: str  # That more people have to decide than could: each decides once. Or ''
    # Whether you can decide now, to reject it too: not with a token, nor where you decided, took
    # part in it or hold no role that counts. Gates are not asked
    can_decide: bool
    can_approve: bool  # Whether the policy asks for an approval of the role that you decide as
    you_decide_as: str
    you_cannot_count: str  # Why not, or ''
    your_request: str  # The id of your own request for changes that holds it, or ''
    answers: tuple[Answered, ...]
    answered_by: Answer | None  # What answers the requests for changes on it, if anything does
    requester_name: str
    author_name: str
    recall: ToldRecall | None  # What revoked it; None also where that is not visible to you


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(Record):
    """A remark on a release."""

    id: str
    author: str
    name: str
    text: str
    created_at: datetime
