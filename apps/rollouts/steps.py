"""The steps of a plan as a rollout carries them out.

``rules`` has one function for each kind, which says when the step is over.
"""

from collections.abc import Sequence
from datetime import timedelta

from apps.governance.plan import (
    AbTest,
    Analysis,
    Pause,
    SetHeaderRoute,
    SetMirror,
    SetWeight,
    Ship,
    Step,
)
from apps.rollouts.analysis import JudgedMetric, Threshold, asked_of, metric_of
from apps.rollouts.states import RolloutState

AT_ONCE: tuple[Step, ...] = (SetWeight(100),)
# The state that a rollout is in while it carries a step out.
_STATES: dict[type[Step], RolloutState] = {
    SetWeight: RolloutState.SHIFTING,
    SetHeaderRoute: RolloutState.SHIFTING,
    SetMirror: RolloutState.SHIFTING,
    Pause: RolloutState.WAITING,
    Ship: RolloutState.WAITING,
    Analysis: RolloutState.ANALYSING,
    AbTest: RolloutState.ANALYSING,
}


def state_of(step: Step) -> RolloutState:
    """Return the state that a rollout is in while it carries ``step`` out."""
    return _STATES[type(step)]


def effect_of(step: AbTest) -> JudgedMetric:
    """Return the metric in which an A/B test seeks its effect."""
    return metric_of(step.metric).seeking(step.minimum_effect)


def metrics_of(step: Analysis | AbTest) -> tuple[JudgedMetric | Threshold, ...]:
    """Return what a step looks at; of an A/B test the effect first."""
    if isinstance(step, AbTest):
        return (effect_of(step), *map(asked_of, step.guardrails))
    return tuple(map(asked_of, step.metrics))


def for_person(step: Step, state: str, spent: timedelta) -> bool:
    """Tell whether ``step``, under way for ``spent``, goes on only when a person says so: a pause
    without an end, what is to be shipped, or an analysis that was not settled in its time."""
    match step:
        case Pause(duration_seconds=None) | Ship():
            return state == RolloutState.WAITING
        case Analysis(on_inconclusive="wait", timeout_seconds=seconds):
            return state == RolloutState.ANALYSING and spent >= timedelta(seconds=seconds)
    return False


def judged_index(steps: Sequence[Step], index: int) -> int | None:
    """Return the index of the step whose looks decide at ``index``; ``None`` for nothing to judge.

    An A/B test is watched until it is shipped.
    """
    if index < 0 or not isinstance(steps[index], Analysis | AbTest | Ship):
        return None
    return index - 1 if isinstance(steps[index], Ship) else index


def untested(steps: Sequence[Step], index: int) -> bool:
    """Tell whether an A/B test stands between ``index`` and all requests, or its shipping does."""
    return any(isinstance(step, Ship) for step in steps[max(index, 0) :])


def analyses(steps: Sequence[Step]) -> int:
    """Return how many analyses there are; they share the α of the rollout."""
    return sum(isinstance(step, Analysis) for step in steps)


def needs(steps: Sequence[Step]) -> frozenset[str]:
    """Return what the agent of a node must know to carry ``steps`` out."""
    names = {SetHeaderRoute: "header_route", SetMirror: "mirror"}
    return frozenset(names[type(step)] for step in steps if type(step) in names)


def last_weight(steps: Sequence[Step]) -> int:
    """Return the index of the step that sends all requests to the candidate."""
    return max(index for index, step in enumerate(steps) if isinstance(step, SetWeight))
