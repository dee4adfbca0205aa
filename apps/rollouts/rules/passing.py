"""Which analyses of its plan a rollout goes past when somebody skips a step or promotes it. Pure.

Asked before the click, for what people are shown, and as it is carried out: there is no other
formula. An analysis ends by itself, or by the rollout's end: what it is not let end counts here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from apps.governance.plan import Analysis, Step
from apps.rollouts.rules.deciding import skip
from apps.rollouts.rules.facts import RolloutSnapshot
from apps.rollouts.steps import last_weight

T = TypeVar("T")
PassingVerb = Literal["skip", "promote"]
SKIP: PassingVerb = "skip"
PROMOTE: PassingVerb = "promote"


@dataclass(frozen=True, slots=True)
class PassedStep:
    """An analysis that does not run to its end: ``is_cut`` where it has begun."""

    index: int
    is_cut: bool


def passed_over(s: RolloutSnapshot, verb: PassingVerb) -> tuple[PassedStep, ...]:
    """Return the analyses that ``verb``, done now, would go past; what was promoted before went
    past the later ones then."""
    return tuple(
        PassedStep(index, index == s.step)
        for index in _beyond(s, verb)
        if isinstance(s.steps[index], Analysis)
    )


def _beyond(s: RolloutSnapshot, verb: PassingVerb) -> range:
    """Return the steps that do not end by themselves then."""
    here, end = s.step_index, len(s.steps)
    if verb == SKIP:
        return range(here, here + 1 if skip(s) is not None else here)
    if s.promoted:
        return range(end, end)
    ends = s.step >= last_weight(s.steps)  # the present step does, and only then it is live
    return range(here + 1 if ends else here, end)


@dataclass(frozen=True, slots=True)
class LoggedPassing(Generic[T]):
    """An event about a rollout, by its kind without a version, its place in the log and, of a step
    that was skipped or waits for replicas, its number; ``by`` says who did it, and when."""

    kind: str
    place: int
    step: object
    by: T


def went_past(
    steps: Sequence[Step], begun: Iterable[int], told: Sequence[LoggedPassing[T]]
) -> dict[int, T]:
    """Return which steps people went past before they were over, by index, and what says who did:
    from the events of a rollout, the oldest first, and which of its steps have ``begun``.

    Whoever promoted it went past the step that was under way, unless that sent all requests
    already, and past those that never began.
    """
    passed = {
        one.step - 1: one.by
        for one in told
        if one.kind == "rollout.step_skipped" and isinstance(one.step, int)
    }
    promoted = next((one for one in told if one.kind == "rollout.promoted"), None)
    if promoted is None:
        return passed
    entered, whole = set(begun), last_weight(steps)
    sent = [one.place for one in told if _sends_all(one, whole)]
    shifted = bool(sent) and min(sent) > promoted.place
    before = [index for index in entered if index < whole and index not in passed]
    if shifted and before:
        passed[max(before)] = promoted.by
    never = [index for index in range(len(steps)) if index not in entered]
    return dict.fromkeys(never, promoted.by) | passed


def _sends_all(one: LoggedPassing[T], whole: int) -> bool:
    """Tell whether ``one`` began the step at ``whole``, perhaps by waiting for replicas."""
    if one.kind == "rollout.scaling_up":
        return one.step == whole + 1
    return one.kind == "rollout.shifting"
