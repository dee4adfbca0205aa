"""How an endpoint moves from one revision to the next: one pure function. Standard library only.

``starting``   the new revision is wanted at weight 0, until every replica is ready
``shifting``   the new revision has all the weight; waits until the target says that it applies
``draining``   the new revision is live; the old one is kept warm, or drained and stopped
``aborting``   the old revision has all the weight again; waits until the target says so
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

WHOLE = 10_000
DRAIN_SECONDS = 60  # a revision that was told to drain is stopped after this, whatever it says
READY_PHASES = frozenset({"ready", "serving"})
GONE_PHASES = frozenset({"drained", "stopped", "failed", "refused", ""})
BROKEN_PHASES = frozenset({"failed", "refused"})

TRANSITIONS: dict[str, frozenset[str]] = {
    "starting": frozenset({"shifting", "aborting", "failed"}),
    "shifting": frozenset({"draining", "aborting", "failed"}),
    "draining": frozenset({"done"}),
    "aborting": frozenset({"aborted", "failed"}),
    "done": frozenset(),
    "aborted": frozenset(),
    "failed": frozenset(),
}
OPEN = frozenset({"starting", "shifting", "draining", "aborting"})
ABORTABLE = ("starting", "shifting")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a rollout is carried out."""

    keep_warm_seconds: int = 86_400
    ready_timeout_seconds: int = 300


def plan_of(document: Mapping[str, Any]) -> Plan:
    """Read the plan of a release; governance has validated it."""
    return Plan(
        keep_warm_seconds=int(document.get("keep_warm_seconds", 86_400)),
        ready_timeout_seconds=int(document.get("ready_timeout_seconds", 300)),
    )


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """A revision as its row says and as its target was last seen to run it."""

    state: str
    weight: int  # wanted
    replicas: int
    phase: str = ""  # '' when the target says nothing of it
    ready_replicas: int = 0
    applied_weight: int = 0
    detail: str = ""
    same_bytes: bool = True  # the target runs the Bento that was approved

    @property
    def ready(self) -> bool:
        """Tell whether every replica answers."""
        return self.phase in READY_PHASES and self.ready_replicas >= self.replicas > 0

    @property
    def broken(self) -> str:
        """Return why this revision will not serve, in a sentence, or ''."""
        if self.phase == "refused":
            return f"The node refused it: {self.detail or 'it gave no reason'}"
        if self.phase == "failed":
            return f"It failed: {self.detail or 'it gave no reason'}"
        if self.phase and not self.same_bytes:
            return "The node runs another Bento than the one that was approved"
        return ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a decision is made of."""

    state: str
    kind: str  # release, rollback
    now: datetime
    deadline: datetime
    entered_at: datetime  # when the current state was entered
    fresh: bool  # what was observed was observed after the last command arrived
    by_operator: bool  # a person asked to abort
    plan: Plan
    new: RevisionFacts
    old: RevisionFacts | None


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one revision."""

    which: Literal["old", "new"]
    state: str | None = None
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """The decision: the next state (``None`` to wait), what becomes of the revisions, and why.

    ``changes`` are carried out in order: weight is taken before it is given.
    """

    to: str | None = None
    changes: tuple[Change, ...] = ()
    reason: str = ""
    waiting_for: str = ""


def wait(what: str) -> Intent:
    """Return the decision to do nothing until ``what``."""
    return Intent(waiting_for=what)


def next_step(s: Snapshot) -> Intent:
    """Return what to do now. Asked twice with equal facts it answers the same."""
    match s.state:
        case "starting":
            return _starting(s)
        case "shifting":
            return _shifting(s)
        case "draining":
            return _draining(s)
        case "aborting":
            return _aborting(s)
    return wait("nothing: the rollout has ended")


def _starting(s: Snapshot) -> Intent:
    """Until the new revision is ready the old one is not touched."""
    if s.fresh and s.new.broken:
        return Intent("failed", _give_up(s), s.new.broken)
    if s.fresh and s.new.ready:
        take = (Change("old", weight=0),) if s.old else ()
        return Intent("shifting", (*take, Change("new", "ready", WHOLE)))
    if s.now >= s.deadline:
        seen = f" It is {s.new.phase}: {s.new.detail}" if s.new.phase and s.fresh else ""
        ready = f"{s.new.ready_replicas if s.fresh else 0} of {s.new.replicas}"
        text = f"It was not ready in time: {ready} replicas answered.{seen}"
        return Intent("failed", _give_up(s), text.strip())
    return wait("every replica of the new revision to be ready")


def _give_up(s: Snapshot) -> tuple[Change, ...]:
    """End a new revision that gets no requests. One that a rollback wanted was live before: it
    is stopped, so that the rollback can be tried again."""
    if s.kind == "release":
        return (Change("new", "failed"),)
    if s.new.state != "warm":
        return (Change("new", "stopped"),)
    return (Change("new", "draining"),) if s.new.broken else ()


def _shifting(s: Snapshot) -> Intent:
    if s.fresh and s.new.broken:
        if s.old is None:
            return Intent("failed", (Change("new", "failed"),), s.new.broken)
        return Intent("aborting", weights_back(s), s.new.broken)
    if s.fresh and s.new.applied_weight >= WHOLE:
        after = "warm" if s.kind == "release" and s.plan.keep_warm_seconds > 0 else "draining"
        leave = (Change("old", after),) if s.old else ()
        return Intent("draining", (*leave, Change("new", "live")))
    return wait("the node to send all requests to the new revision")


def weights_back(s: Snapshot) -> tuple[Change, ...]:
    """Give all weight back to the old revision."""
    back = (Change("old", weight=WHOLE),) if s.old else ()
    return (Change("new", weight=0), *back)


def _draining(s: Snapshot) -> Intent:
    old = s.old
    if old is None or old.state != "draining":
        return Intent("done")
    if s.fresh and old.phase in GONE_PHASES:
        return Intent("done", (Change("old", "stopped"),))
    if s.now >= s.entered_at + timedelta(seconds=DRAIN_SECONDS):
        return Intent("done", (Change("old", "stopped"),))
    return wait("the old revision to finish its last requests")


def _aborting(s: Snapshot) -> Intent:
    end = "aborted" if s.by_operator else "failed"
    if s.new.state == "warm" and s.new.weight == 0:
        return Intent(end)
    stop = (Change("new", _end_state(s.new)),)
    if s.old is None or s.new.state == "starting":
        return Intent(end, stop)
    if s.fresh and s.old.applied_weight >= WHOLE:
        return Intent(end, stop)
    return wait("the node to send all requests to the old revision again")


def _end_state(new: RevisionFacts) -> str:
    """One that may still answer requests is drained; one that never got any is stopped."""
    if new.broken:
        return "failed"
    return "stopped" if new.state == "starting" else "draining"
