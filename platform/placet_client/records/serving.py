# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Targets, endpoints, revisions and rollouts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from placet_client.records.base import Json, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Record):
    """The host of a target, as its agent last reported."""

    id: str
    alive: bool  # It was heard of within the last 15 seconds
    last_seen_at: datetime | None
    agent_version: str
    platform: Json
    problems: tuple[Json, ...]
    fault: str  # What the platform found wrong; empty for nothing
    unreached: str  # Why nobody can reach what it serves; empty while somebody can, or it is silent


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
    owner: str  # The id of the person who answers for it; empty while nobody was named
    created_at: datetime
    node: Node | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetUse(Record):
    """A project, or one environment of it, that may use a target."""

    id: str
    project: str
    environment: str  # Empty: every environment of the project
    note: str  # That there is no such environment yet, or ''
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken(Record):
    """A token, for once, with which an agent joins; it is shown this once."""

    token: str
    expires_in_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRecall(Record):
    """Who recalled something that ran, when and why."""

    id: str
    by: str
    by_name: str
    at: datetime
    reason: str
    withdrawn_at: datetime | None  # What it ended stays ended; None while it stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision(Record):
    """One Bento behind an endpoint, and what its node says of it."""

    id: str
    number: int
    state: str
    weight: int  # Wanted, out of 10,000
    release: str
    bento_digest: str
    version: str
    replicas: int
    max_replicas: int
    # By load: `least` and `most` replicas, `target` in flight; None: not
    scaling: dict[str, int] | None
    wanted_replicas: int  # How many are to answer; `least` if it is live and scaled
    memory_mb: int
    server: str  # What answers requests: `slim` is without BentoML
    created_at: datetime
    live_at: datetime | None
    ended_at: datetime | None
    first_served_at: datetime | None  # When it first had a share of the requests, live or not
    # Since when it has none any more, such as since its endpoint was stopped; None while it has
    # some
    last_served_at: datetime | None
    peak_weight: int  # The largest weight it had, out of 10,000
    phase: str  # As the node reports it; empty when it does not
    asleep_since: datetime | None  # Since when it sleeps until somebody calls
    ready_replicas: int
    applied_weight: int
    unit: Json | None  # What a split treats alike; None: each request is drawn by itself
    salt: str  # Draws which units this revision gets
    detail: str
    # All that a replica may reach; None: approved under earlier rules
    egress: tuple[str, ...] | None
    # As the node reports it: `socket` or `link` (a network of its own), `shared` (the host can give
    # none), `older` (approved under earlier rules); empty when it does not
    isolation: str
    egress_counts: tuple[Json, ...]
    # Its endpoint is stopped: it answers nobody until that is started, and then has this state and
    # weight again
    is_stopped: bool
    aborted: bool  # Whether people or a recall aborted its rollout: nothing of it failed
    recalled: bool  # Whether a recall ended it
    recall: ToldRecall | None  # That recall; None also where it is not visible to you


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Record):
    """The stable name and address that clients call, and what is present behind it."""

    id: str
    project: str
    environment: str
    name: str
    target: str
    url: str  # What clients call; empty while the target has none
    no_address: str  # Why there is no url, or ''
    state: str
    # `degraded` while replicas are missing, an objective is not met or another alert than that it
    # is not measured is open; `starting` while no replica answers and its node was told to start
    # some moments ago; `down` while none answers or nobody can reach them; `unknown` while its node
    # is silent
    health: str
    troubles: tuple[str, ...]  # What is wrong or not known, a sentence each
    replicas_ready: str  # How many replicas of what is live answer, in words; '' for none
    isolation: str  # The weakest of what runs here
    api_key_required: bool
    created_at: datetime
    live_revision: str | None
    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointKey(Record):
    """An API key of an endpoint, without its secret, which is never shown again."""

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
    """What an endpoint answered to a trial call."""

    status: int
    seconds: float
    revision: str
    release: str
    model: str
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Record):
    """What an analysis said at one moment, and what it rested on."""

    step: int  # The place of the analysis in the plan, from 0
    at: datetime
    outcome: str
    sentence: str
    new_requests: int
    stable_requests: int
    planned_share: float  # Of the requests, for the new revision
    evidence_of_another_share: float
    findings: tuple[Json, ...]
    readings: tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series(Record):
    """A rollout over time: what was planned, and what both revisions answered.

    It is told from a minute before it began to a minute after it ended.
    """

    since: datetime
    until: datetime
    seconds: int  # Of one stretch
    growing: bool  # More is to come
    planned: tuple[Json, ...]
    # When the node was seen to apply the present weights, or else when they were planned; what was
    # counted in a stretch that began before holds others too
    applied: datetime
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
    weights: dict[str, int]  # Wanted, out of 10,000, by revision id
    steps: tuple[Json, ...]  # What it carries out, in the plan's own words
    guard: Json  # When its node gives all requests back by itself, in the plan's own words
    step: int | None  # The place of the present step among them, from 0
    step_times: dict[str, str]  # When each step began, by its place from 0
    paused: bool  # Somebody holds it: no step begins
    waits: str  # Who or what has paused it, in words; '' where it goes on by itself
    promoted: bool  # Somebody sent it to the end
    asked: bool  # A second person is asked to confirm a skip or a promotion: see passing
    # When it came into each state; `paused`: when somebody paused it last
    phase_times: dict[str, str]
    deadline: datetime
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedAnalysis(Record):
    """An analysis that would not run to its end, or did not."""

    step: int  # Its place in the plan, from 0
    is_cut: bool  # It has begun, and is cut short
    asks: tuple[str, ...]  # What it looks at, with the thresholds, in words
    timeout_seconds: int  # How long it may take at most
    outcome: str  # Of its last look; '' where it has not looked
    sentence: str  # What that look said, of one that is under way


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbPasses(Record):
    """What skipping the step, or promoting, would go past now."""

    analyses: tuple[PassedAnalysis, ...]
    refusal: str  # Why the policy forbids it; '' where it does not


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPassing(Record):
    """What waits for a second person."""

    verb: str
    digest: str  # Of what is asked: whoever answers names it
    asked_by: str
    asked_by_name: str
    reason: str
    asked_at: datetime
    analyses: tuple[PassedAnalysis, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver(Record):
    """That somebody went past analyses that people signed."""

    rollout: str
    verb: str
    at: datetime
    by: str
    by_name: str
    second: str  # Who confirmed it; '' where one person was enough
    second_name: str
    reason: str  # '' where it is not known
    answer: str  # Why the second person confirmed it
    analyses: tuple[PassedAnalysis, ...]
    sentence: str  # All of it in words


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfirmedPassing(Record):
    """What a second person was asked for and nobody confirmed."""

    verb: str
    step: int  # At which it was asked for, from 0 (-1: before it)
    asked_by: str
    asked_by_name: str
    reason: str
    asked_at: datetime
    declined_by: str  # '' where it lapsed: nobody answered in time
    declined_by_name: str
    answer: str  # Why they declined it
    declined_at: datetime | None
    sentence: str  # All of it in words


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPassing(Record):
    """What may be gone past now, and what was."""

    step: int | None  # The present step, from 0: skip and promote name it
    policy: str  # What the policy of the release says of it: allow, second_person or forbid
    skip: VerbPasses
    promote: VerbPasses
    asked: AskedPassing | None
    passed_over: tuple[PassedOver, ...]
    # What was declined or lapsed, the newest first, 5 at most
    unconfirmed: tuple[UnconfirmedPassing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePassedOver(Record):
    """What was gone past in the rollouts of a release."""

    passed_over: tuple[PassedOver, ...]  # The first one first


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill(Record):
    """A rehearsal of a rollback: what came of it, and how long it took."""

    id: str
    endpoint: str
    rollout: str | None  # None: it was skipped
    state: str
    reason: str  # Why it failed or was skipped
    planned_for: datetime | None  # None: somebody ran it
    started_by: str
    # From the decision until the node said that the live revision gets no request
    seconds: float | None
    return_seconds: float | None  # From the decision to return until it has them all again
    answers: int | None  # Of the former revision meanwhile
    # Server errors of both revisions in the node's windows that the drill touches; None: the counts
    # have gaps, or are not in yet
    failed_requests: int | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillSchedule(Record):
    """When the drills of an endpoint come round, and when the next one does."""

    endpoint: str
    every_days: int
    hour: int  # UTC
    next_at: datetime
    set_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement(Record):
    """One request to which two revisions gave different answers, one for each row."""

    id: str  # The prediction id, which both answers have
    at: datetime
    inputs: Any
    stable: Any
    candidate: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreements(Record):
    """How the answers of two revisions to the same requests compare.

    These are the requests that both captured since the rollout began.
    """

    stable_revision: str | None
    candidate_revision: str
    tolerance: float
    pairs: int  # The newest 5,000 at most
    disagreements: int
    share: float | None  # None without pairs
    items: tuple[Disagreement, ...]  # The newest 50 disagreements at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic(Record):
    """An endpoint over time. A stretch in which nothing was counted is left out."""

    range: str
    since: datetime
    until: datetime  # What is younger may still be on its way
    seconds: int  # Of one stretch
    growing: bool  # More is to come
    points: tuple[Json, ...]  # At most 300
    marks: tuple[Json, ...]  # The newest 20 rollouts and the newest 20 alerts at most
