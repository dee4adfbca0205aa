"""What a rollout does next. Pure."""

from datetime import timedelta

from apps.governance.plan import AbTest, Analysis, Pause, SetHeaderRoute, SetMirror, SetWeight, Ship
from apps.rollouts import guard
from apps.rollouts.experiments import ruling
from apps.rollouts.rules.ending import aborting, draining, give_up, live, returning, weights_back
from apps.rollouts.rules.facts import (
    ALL_AT_ONCE,
    DRILL_SECONDS,
    Intent,
    RevisionChange,
    RolloutSnapshot,
    wait,
)
from apps.rollouts.rules.growing import is_held, is_known, lacking, seen, sends, still_lacking
from apps.rollouts.states import RolloutKind, RolloutState
from apps.rollouts.steps import AT_ONCE, last_weight, state_of
from apps.serving.rules import RevisionState
from placet_verify.units import WHOLE

FOR_A_PERSON = Pause()  # the step that ends by somebody's word alone


def next_step(s: RolloutSnapshot) -> Intent:
    """Return what to do now. Asked twice with equal facts it answers the same."""
    match s.state:
        case RolloutState.STARTING:
            return _starting(s)
        case RolloutState.SHIFTING | RolloutState.WAITING | RolloutState.ANALYSING:
            return _stepping(s)
        case RolloutState.DRAINING:
            return draining(s)
        case RolloutState.RETURNING:
            return returning(s)
        case RolloutState.ABORTING:
            return aborting(s)
    return wait("nothing: the rollout has ended")


def _starting(s: RolloutSnapshot) -> Intent:
    """Until the candidate is ready stable is not touched."""
    if s.fresh and s.candidate.broken:
        return Intent(RolloutState.FAILED, give_up(s), s.candidate.broken)
    if s.fresh and s.candidate.ready and not s.paused:
        return enter(s, last_weight(s.steps) if s.promoted else 0)
    if s.paused:
        return wait("an operator to resume it")
    if s.now >= s.deadline:
        ready = f"{s.candidate.ready_replicas if s.fresh else 0} of {s.candidate.replicas}"
        text = f"It was not ready in time: {ready} replicas answered.{seen(s)}"
        return Intent(RolloutState.FAILED, give_up(s), text.strip())
    return wait(f"every replica of {s.coming} to be ready")


def enter(s: RolloutSnapshot, index: int) -> Intent:
    """Begin the step at ``index``, or end the rollout well when there is none."""
    if index >= len(s.steps):
        return live(s)
    step, first = s.steps[index], s.state == RolloutState.STARTING
    changes: tuple[RevisionChange, ...] = (
        (RevisionChange("candidate", RevisionState.READY),) if first else ()
    )
    match step:
        case SetWeight(weight=weight):
            changes = sends(s, weight)
        case SetHeaderRoute():
            changes = (RevisionChange("candidate", RevisionState.READY, header=step),)
        case SetMirror(copies=copies):
            changes = (RevisionChange("candidate", RevisionState.READY, copies=copies),)
    skipped = s.kind == RolloutKind.RELEASE and s.stable is None and s.plan.steps != AT_ONCE
    return Intent(state_of(step), changes, ALL_AT_ONCE if first and skipped else "", step=index)


def _stepping(s: RolloutSnapshot) -> Intent:
    """A candidate that breaks, or whose node took its requests, gives them back at any step."""
    broken = s.candidate.broken if s.fresh else ""
    if s.stable is not None and (why := broken or guard.reason(s.candidate.aborted)):
        return Intent(RolloutState.ABORTING, weights_back(s), why)
    if broken:
        return Intent(
            RolloutState.FAILED, (RevisionChange("candidate", RevisionState.FAILED),), broken
        )
    if is_held(s):
        return _growing(s)
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
        return wait("an operator to resume it")
    return _onward(s)


def _growing(s: RolloutSnapshot) -> Intent:
    """Give the weight of the present step as soon as there are replicas enough for it. Those that
    do not come in time are a matter for people: what is live goes on, and nothing moves."""
    if s.paused:
        return wait("an operator to resume it")
    on = enter(s, s.step_index)
    if is_known(s) and on.changes:
        return on
    if s.now >= s.deadline:
        return Intent(state_of(s.present), reason=lacking(s), pauses=True)
    return wait(still_lacking(s) if is_known(s) else "news from the node")


def _onward(s: RolloutSnapshot) -> Intent:
    """Return how to go on from the present step: what was promoted is live behind all requests."""
    if s.promoted and s.step_index >= last_weight(s.steps):
        return live(s)
    return enter(s, s.step_index + 1)


def _set_weight(s: RolloutSnapshot, step: SetWeight) -> Intent | None:
    """Return what to wait for; ``None`` when the target applies the weight."""
    if s.fresh and s.candidate.applied_weight == step.weight:
        return None
    if s.fresh and s.candidate.applied_weight == WHOLE and s.stable and not s.stable.answers:
        return wait("the old revision to answer again; the new one has all requests meanwhile")
    if s.kind == RolloutKind.DRILL and s.now >= s.entered_at + timedelta(seconds=DRILL_SECONDS):
        late = f"The node did not say within {DRILL_SECONDS} s that it sends all requests there"
        return Intent(RolloutState.ABORTING, weights_back(s), late)
    return wait(f"the node to send {step.weight / 100:g}% of the requests to {s.coming}")


def _pause(s: RolloutSnapshot, step: Pause) -> Intent | None:
    """Return what to wait for; ``None`` when the time is over and the target is there to go on.

    While nothing is heard of the target nobody knows how the candidate does.
    """
    if step.duration_seconds is None:
        return wait("an operator to resume it")
    if s.now < s.entered_at + timedelta(seconds=step.duration_seconds):
        return wait("the pause to end")
    return None if s.fresh and s.alive else wait("news from the node")


def _analysis(s: RolloutSnapshot, step: Analysis) -> Intent | None:
    """Return what to wait for, or that it goes back; ``None`` when it may go on.

    What cannot be judged never goes on: at the timeout it goes back.
    """
    if s.judged is None:
        return wait("the first analysis")
    outcome, sentence = s.judged.outcome, s.judged.sentence
    late = s.now >= s.entered_at + timedelta(seconds=step.timeout_seconds)
    if outcome == "failed":
        return Intent(RolloutState.ABORTING, weights_back(s), f"The analysis failed. {sentence}")
    if outcome == "error" and late:
        return Intent(
            RolloutState.ABORTING, weights_back(s), f"It could not be analysed in time. {sentence}"
        )
    if outcome == "error":
        return wait(f"figures that can be judged. {sentence.rstrip('.')}")
    if outcome == "successful" or (late and step.on_inconclusive == "pass"):
        return None if s.fresh and s.alive else wait("news from the node")
    if late and step.on_inconclusive == "abort":
        return Intent(
            RolloutState.ABORTING, weights_back(s), f"Nothing was shown in time. {sentence}"
        )
    person = "an operator to skip the analysis, or " if late else ""
    return wait(f"{person}evidence. {sentence.rstrip('.')}")


def _tested(s: RolloutSnapshot, step: AbTest | Ship) -> Intent | None:
    """Return what an A/B test waits for, or that it goes back; ``None`` when its effect shows."""
    ruled = ruling(step, s.judged, since=s.entered_at, now=s.now)
    if ruled.ends:
        return Intent(RolloutState.ABORTING, weights_back(s), ruled.words)
    if ruled.words:
        return wait(ruled.words)
    return None if s.fresh and s.alive else wait("news from the node")


def go_on(s: RolloutSnapshot, past: Pause | Ship = FOR_A_PERSON) -> Intent | None:
    """Return how to go past the step that waits for a person, if ``past`` does now."""
    waits = s.state == RolloutState.WAITING and s.present == past
    return _onward(s) if waits else None


def skip(s: RolloutSnapshot) -> Intent | None:
    """Return how to go past the present step; ``None`` when it cannot be skipped.

    The step that sends all requests is not: what is live must be seen to be served. Nor is an A/B
    test, nor its shipping, nor a weight that waits for replicas.
    """
    step = s.present
    if s.state == RolloutState.STARTING or isinstance(step, AbTest | Ship) or is_held(s):
        return None
    if isinstance(step, SetWeight) and step.weight >= WHOLE:
        return None
    return _onward(s)


def promote(s: RolloutSnapshot) -> Intent | None:
    """Return how to send all requests at once; ``None`` when that is done or still to come."""
    index = last_weight(s.steps)
    return None if s.state == RolloutState.STARTING or s.step >= index else enter(s, index)
