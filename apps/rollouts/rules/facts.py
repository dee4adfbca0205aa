"""What a decision is made of, and what it says. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from apps.governance.plan import Plan, SetHeaderRoute, Step
from apps.rollouts.analysis import DecidingVerdict
from apps.rollouts.states import AT_A_STEP, RolloutKind, RolloutState
from apps.rollouts.steps import AT_ONCE
from apps.serving.rules import RevisionState
from placet_protocol.report import ENDED_PHASES, READY_PHASES
from placet_verify.permit.scaling import Scaling

DRAIN_SECONDS = 60  # a revision that was told to drain is stopped after this, whatever it says
GIVE_BACK_SECONDS = 60  # a stable revision that does not answer by then is not waited for
DRILL_SECONDS = 30  # a drill that has not moved all requests by then, either way, has failed

_STEPS = frozenset(
    {
        *AT_A_STEP,
        RolloutState.DRAINING,
        RolloutState.RETURNING,
        RolloutState.ABORTING,
        RolloutState.FAILED,
    }
)
# What a rollout becomes, of itself or because somebody asked. Beside that a recall ends one in
# whatever open state, ``aborted`` at once: nothing of it may be waited for.
TRANSITIONS: dict[str, frozenset[RolloutState]] = {
    RolloutState.STARTING: frozenset(
        {RolloutState.SHIFTING, RolloutState.WAITING, RolloutState.ABORTING, RolloutState.FAILED}
    ),
    **dict.fromkeys(AT_A_STEP, _STEPS),
    RolloutState.DRAINING: frozenset({RolloutState.DONE}),
    RolloutState.RETURNING: frozenset({RolloutState.DONE}),
    RolloutState.ABORTING: frozenset({RolloutState.ABORTED, RolloutState.FAILED}),
    RolloutState.DONE: frozenset(),
    RolloutState.ABORTED: frozenset(),
    RolloutState.FAILED: frozenset(),
}
NO_REASON = "Aborted by an operator"  # what version 0.1.0 wrote where nobody said why
ALL_AT_ONCE = "Nothing was live here: the steps of the plan were skipped"


def steps_for(plan: Plan, *, kind: str, has_stable: bool) -> tuple[Step, ...]:
    """Return the steps that a rollout carries out: of its plan, or all at once."""
    return plan.steps if kind == RolloutKind.RELEASE and has_stable else AT_ONCE


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
    scaling: Scaling | None = None  # how its node scales it by load

    @property
    def ready(self) -> bool:
        """Tell whether every replica answers."""
        return self.phase in READY_PHASES and self.ready_replicas >= self.replicas > 0

    @property
    def answers(self) -> bool:
        """Tell whether it takes requests: what is asleep wakes for them."""
        return self.ready_replicas > 0 or self.phase == "asleep"

    @property
    def gone(self) -> bool:
        """Tell whether it runs no more: the target says so, or says nothing of it. Of what was
        observed before the last command arrived the latter means nothing."""
        return self.phase in ENDED_PHASES or not self.phase

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
class RolloutSnapshot:
    """All that a decision is made of.

    ``candidate`` is the revision that requests go to, in a rollback and a drill too, ``stable`` the
    one that has had them: ``to_revision`` and ``from_revision`` of the row.
    """

    state: str
    kind: str  # release, rollback, drill
    now: datetime
    deadline: datetime  # by when replicas that are waited for are to be ready
    entered_at: datetime  # when the state was entered, or an A/B test that waits to be shipped
    fresh: bool  # what was observed was observed after the last command arrived
    by_operator: bool  # a person asked to abort
    plan: Plan
    candidate: RevisionFacts
    stable: RevisionFacts | None
    step: int = -1  # the index of the present step; -1 before the first
    paused: bool = False  # a person holds it
    promoted: bool = False  # a person sent it to the end
    alive: bool = True  # the target was heard of lately
    judged: DecidingVerdict | None = None  # None: nobody has looked since the step began

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps to carry out."""
        return steps_for(self.plan, kind=self.kind, has_stable=self.stable is not None)

    @property
    def step_index(self) -> int:
        """The index of the present step; a row that shifts from before there were steps has none
        written, and is at its first and only one."""
        return max(self.step, 0)

    @property
    def coming(self) -> str:
        """The candidate, as people read it."""
        return "the new revision" if self.kind == RolloutKind.RELEASE else "the former revision"

    @property
    def leaving(self) -> str:
        """The revision that has had the requests, as people read it."""
        return "the old revision" if self.kind == RolloutKind.RELEASE else "the newer revision"

    @property
    def present(self) -> Step:
        """The step that is carried out now, or first of all."""
        return self.steps[self.step_index]


@dataclass(frozen=True, slots=True)
class RevisionChange:
    """What becomes of one revision."""

    which: Literal["stable", "candidate"]
    state: RevisionState | None = None
    weight: int | None = None
    header: SetHeaderRoute | None = None  # for testers
    copies: int | None = None  # of requests, out of 10,000
    replicas: int | None = None  # at least so many, where its node scales it by load


@dataclass(frozen=True, slots=True)
class Intent:
    """The decision: the next state (``None`` to wait), what becomes of the revisions, and why.

    ``changes`` are carried out in order: weight is taken before it is given.
    """

    to: RolloutState | None = None
    changes: tuple[RevisionChange, ...] = ()
    reason: str = ""
    waiting_for: str = ""
    step: int | None = None  # the step that begins with this
    pauses: bool = False  # it stays where it is, and goes no further until a person lets it


def wait(what: str) -> Intent:
    """Return the decision to do nothing until ``what``."""
    return Intent(waiting_for=what)
