"""How an endpoint moves from one revision to the next: one pure function. Standard library only.

::

    starting ──► shifting ◄──► waiting      the steps of the plan, one after the other
       │            │             │           and analysing, the same way as waiting
       │            └──────┬──────┘
       │                   ▼
       │               draining ──► done
       │
       ├─► aborting ◄── shifting, waiting   all requests are back first, then it is tidied up
       │      └─► aborted, failed
       └─► failed ◄──── shifting, waiting   there is nothing to go back to

``starting``   the new revision is wanted at weight 0, until every replica is ready
``shifting``   the new revision has the weight of the step; until the target says that it applies
``waiting``    a pause of the plan: for a time, or for a person
``analysing``  the new revision is held against what is allowed, or tested for an effect; one that
               fails gives its requests back, held or not
``draining``   the new revision is live; the old one is kept warm, or drained and stopped
``aborting``   the old revision has all the weight again; waits until the target says so

Somebody may hold a rollout in any of the first three states (``paused``): then no step begins.
A rollback, and a release where nothing is live, take all requests at once, whatever the plan says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from apps.rollouts import guard
from apps.rollouts.analysis import Judged
from apps.rollouts.experiments import ruling
from apps.rollouts.steps import (
    AT_ONCE,
    WHOLE,
    AbTest,
    Analysis,
    Pause,
    SetHeaderRoute,
    SetMirror,
    SetWeight,
    Ship,
    Step,
    last_weight,
    read,
)
from apps.serving.rules import Guard

DRAIN_SECONDS = 60  # a revision that was told to drain is stopped after this, whatever it says
READY_PHASES = frozenset({"ready", "serving"})
GONE_PHASES = frozenset({"drained", "stopped", "failed", "refused", ""})

# States in which the new revision is not live yet, and people may still hold, hurry or abort it.
STEPPING = ("starting", "shifting", "waiting", "analysing")
_STEPS = frozenset({"shifting", "waiting", "analysing", "draining", "aborting", "failed"})
TRANSITIONS: dict[str, frozenset[str]] = {
    "starting": frozenset({"shifting", "waiting", "aborting", "failed"}),
    **dict.fromkeys(("shifting", "waiting", "analysing"), _STEPS),
    "draining": frozenset({"done"}),
    "aborting": frozenset({"aborted", "failed"}),
    "done": frozenset(),
    "aborted": frozenset(),
    "failed": frozenset(),
}
FOR_A_PERSON = Pause(None)  # the step that ends by somebody's word alone
OPEN = frozenset({*STEPPING, "draining", "aborting"})
ALL_AT_ONCE = "Nothing was live here: the steps of the plan were skipped"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a rollout is carried out."""

    keep_warm_seconds: int = 86_400
    ready_timeout_seconds: int = 300
    steps: tuple[Step, ...] = AT_ONCE
    guard: Guard = field(default_factory=Guard)


def plan_of(document: Mapping[str, Any]) -> Plan:
    """Read the plan of a release; governance has validated it."""
    return Plan(
        keep_warm_seconds=int(document.get("keep_warm_seconds", 86_400)),
        ready_timeout_seconds=int(document.get("ready_timeout_seconds", 300)),
        steps=read(document),
        guard=document.get("guard") or Guard(),
    )


def steps_for(plan: Plan, *, kind: str, has_old: bool) -> tuple[Step, ...]:
    """Return the steps that a rollout carries out: of its plan, or all at once."""
    return plan.steps if kind == "release" and has_old else AT_ONCE


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
    aborted: str = ""  # why the target took its requests back by itself

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
    step: int = -1  # the place of the present step; -1 before the first
    paused: bool = False  # a person holds it
    promoted: bool = False  # a person sent it to the end
    alive: bool = True  # the target was heard of lately
    judged: Judged | None = None  # None: nobody has looked since the step began

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps to carry out."""
        return steps_for(self.plan, kind=self.kind, has_old=self.old is not None)

    @property
    def place(self) -> int:
        """The place of the present step; a row that shifts from before there were steps has none
        written, and is at its first and only one."""
        return max(self.step, 0)

    @property
    def present(self) -> Step:
        """The step that is carried out now, or first of all."""
        return self.steps[self.place]


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one revision."""

    which: Literal["old", "new"]
    state: str | None = None
    weight: int | None = None
    header: SetHeaderRoute | None = None  # for testers
    copies: int | None = None  # of requests, out of 10,000


@dataclass(frozen=True, slots=True)
class Intent:
    """The decision: the next state (``None`` to wait), what becomes of the revisions, and why.

    ``changes`` are carried out in order: weight is taken before it is given.
    """

    to: str | None = None
    changes: tuple[Change, ...] = ()
    reason: str = ""
    waiting_for: str = ""
    step: int | None = None  # the step that begins with this


def wait(what: str) -> Intent:
    """Return the decision to do nothing until ``what``."""
    return Intent(waiting_for=what)


def next_step(s: Snapshot) -> Intent:
    """Return what to do now. Asked twice with equal facts it answers the same."""
    match s.state:
        case "starting":
            return _starting(s)
        case "shifting" | "waiting" | "analysing":
            return _stepping(s)
        case "draining":
            return _draining(s)
        case "aborting":
            return _aborting(s)
    return wait("nothing: the rollout has ended")


def _starting(s: Snapshot) -> Intent:
    """Until the new revision is ready the old one is not touched."""
    if s.fresh and s.new.broken:
        return Intent("failed", _give_up(s), s.new.broken)
    if s.fresh and s.new.ready and not s.paused:
        return enter(s, last_weight(s.steps) if s.promoted else 0)
    if s.paused:
        return wait("somebody to resume it")
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


def enter(s: Snapshot, place: int) -> Intent:
    """Begin the step at ``place``, or end the rollout well when there is none."""
    if place >= len(s.steps):
        return _live(s)
    step, first = s.steps[place], s.state == "starting"
    changes: tuple[Change, ...] = (Change("new", "ready"),) if first else ()
    match step:
        case SetWeight(weight):
            take = (Change("old", weight=WHOLE - weight),) if s.old else ()
            changes = (*take, Change("new", "ready", weight))
        case SetHeaderRoute():
            changes = (Change("new", "ready", header=step),)
        case SetMirror(copies):
            changes = (Change("new", "ready", copies=copies),)
    skipped = s.kind == "release" and s.old is None and s.plan.steps != AT_ONCE
    return Intent(step.state, changes, ALL_AT_ONCE if first and skipped else "", step=place)


def _live(s: Snapshot) -> Intent:
    after = "warm" if s.kind == "release" and s.plan.keep_warm_seconds > 0 else "draining"
    leave = (Change("old", after),) if s.old else ()
    return Intent("draining", (*leave, Change("new", "live")))


def _stepping(s: Snapshot) -> Intent:
    """A new revision that breaks, or whose node took its requests, gives them back at any step."""
    broken = s.new.broken if s.fresh else ""
    if s.old is not None and (why := broken or guard.reason(s.new.aborted)):
        return Intent("aborting", weights_back(s), why)
    if broken:
        return Intent("failed", (Change("new", "failed"),), broken)
    match s.present:
        case SetWeight() as step:
            held = _set_weight(s, step)
        case Pause() as step:
            held = _pause(s, step)
        case Analysis() as step:
            held = _analysis(s, step)
        case AbTest() | Ship() as step:
            held = _tested(s, step)
        case SetHeaderRoute() | SetMirror():
            held = None if s.fresh else wait("the node to follow")
    if held is not None:
        return held
    if s.paused:
        return wait("somebody to resume it")
    if s.promoted and s.place >= last_weight(s.steps):
        return _live(s)
    return enter(s, s.place + 1)


def _set_weight(s: Snapshot, step: SetWeight) -> Intent | None:
    """Return what to wait for; ``None`` when the target applies the weight."""
    if s.fresh and s.new.applied_weight == step.weight:
        return None
    if s.fresh and s.new.applied_weight == WHOLE and s.old and not s.old.ready_replicas:
        return wait("the old revision to answer again; the new one has all requests meanwhile")
    return wait(f"the node to send {step.weight / 100:g} % of the requests to the new revision")


def _pause(s: Snapshot, step: Pause) -> Intent | None:
    """Return what to wait for; ``None`` when the time is over and the target is there to go on.

    While nothing is heard of the target nobody knows how the new revision does.
    """
    if step.seconds is None:
        return wait("somebody to go on")
    if s.now < s.entered_at + timedelta(seconds=step.seconds):
        return wait("the pause to end")
    return None if s.fresh and s.alive else wait("news of the node")


def _analysis(s: Snapshot, step: Analysis) -> Intent | None:
    """Return what to wait for, or that it goes back; ``None`` when it may go on.

    What cannot be judged never goes on: at the timeout it goes back.
    """
    if s.judged is None:
        return wait("the first look at what was measured")
    outcome, sentence = s.judged.outcome, s.judged.sentence
    late = s.now >= s.entered_at + timedelta(seconds=step.timeout_seconds)
    if outcome == "failed":
        return Intent("aborting", weights_back(s), f"The analysis failed. {sentence}")
    if outcome == "error" and late:
        return Intent("aborting", weights_back(s), f"It could not be analysed in time. {sentence}")
    if outcome == "error":
        return wait(f"figures that can be judged. {sentence.rstrip('.')}")
    if outcome == "successful" or (late and step.on_inconclusive == "pass"):
        return None if s.fresh and s.alive else wait("news of the node")
    if late and step.on_inconclusive == "abort":
        return Intent("aborting", weights_back(s), f"Nothing was shown in time. {sentence}")
    return wait(f"{'a person, or ' if late else ''}evidence. {sentence.rstrip('.')}")


def _tested(s: Snapshot, step: AbTest | Ship) -> Intent | None:
    """Return what an A/B test waits for, or that it goes back; ``None`` when its effect shows."""
    ruled = ruling(step, s.judged, since=s.entered_at, now=s.now)
    if ruled.ends:
        return Intent("aborting", weights_back(s), ruled.words)
    if ruled.words:
        return wait(ruled.words)
    return None if s.fresh and s.alive else wait("news of the node")


def go_on(s: Snapshot, past: Pause | Ship = FOR_A_PERSON) -> Intent | None:
    """Return how to go past the step that waits for a person, if ``past`` does now."""
    waits = s.state == "waiting" and s.present == past
    return enter(s, s.place + 1) if waits else None


def skip(s: Snapshot) -> Intent | None:
    """Return how to go past the present step; ``None`` when it cannot be skipped.

    The step that sends all requests is not: what is live must be seen to be served. Nor is an A/B
    test, nor its shipping.
    """
    step = s.present
    if s.state == "starting" or isinstance(step, AbTest | Ship):
        return None
    if isinstance(step, SetWeight) and step.weight >= WHOLE:
        return None
    return enter(s, s.place + 1)


def promote(s: Snapshot) -> Intent | None:
    """Return how to send all requests at once; ``None`` when that is done or still to come."""
    place = last_weight(s.steps)
    return None if s.state == "starting" or s.step >= place else enter(s, place)


def weights_back(s: Snapshot) -> tuple[Change, ...]:
    """Give all weight back to the old revision."""
    if not s.new.weight:
        return ()
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
