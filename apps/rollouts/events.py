"""What this app writes into the log: one kind for each state and each kind of step that a rollout
enters, and one for each thing that people do to it."""

from typing import Any

from apps.audit.events import EventKind, event_kind
from apps.governance.plan import (
    AbTest,
    Pause,
    SetHeaderRoute,
    SetMirror,
    SetWeight,
    Ship,
    Step,
)
from apps.rollouts.states import RolloutState
from placet_verify.units import WHOLE

ROLLOUT_STARTED = event_kind("rollout.started", "Started rolling out {release:id}")
ROLLBACK_STARTED = event_kind("rollout.rollback_started", "Started rolling back to {release:id}")

DRILL_STARTED = event_kind("drill.started", "Started a rollback test to revision {revision}")
DRILL_SKIPPED = event_kind("drill.skipped", "Skipped a rollback test")
DRILL_FINISHED = event_kind(
    "drill.finished", "The rollback test has {outcome}", words={"outcome": ("passed", "failed")}
)
DRILLS_SCHEDULED = event_kind(
    "drill.scheduled", "Scheduled rollback tests: every {days} days, {hour}:00 UTC"
)
DRILLS_UNSCHEDULED = event_kind("drill.unscheduled", "Ended the schedule of rollback tests")

ROLLOUT_PAUSED = event_kind("rollout.paused", "Paused the rollout")
ROLLOUT_RESUMED = event_kind("rollout.resumed", "Resumed the rollout")
ROLLOUT_PROMOTED = event_kind("rollout.promoted", "Promoted the new revision")
STEP_SKIPPED = event_kind("rollout.step_skipped", "Skipped step {step} of the plan")
_PASSING = {"verb": ("skip", "promote")}
ANALYSES_PASSED = event_kind(
    "rollout.analyses_passed",
    "Passed over {count} of the signed analyses ({verb:word})",
    words=_PASSING,
)
PASSING_ASKED = event_kind(
    "rollout.passing_asked",
    "Asked a second person to pass over {count} of the signed analyses ({verb:word})",
    words=_PASSING,
)
PASSING_CONFIRMED = event_kind(
    "rollout.passing_confirmed",
    "Confirmed passing over {count} of the signed analyses ({verb:word})",
    words=_PASSING,
)
PASSING_DECLINED = event_kind(
    "rollout.passing_declined",
    "Declined to pass over {count} of the signed analyses ({verb:word})",
    words=_PASSING,
)
PASSING_WITHDRAWN = event_kind(
    "rollout.passing_withdrawn",
    "Withdrew the request to pass over {count} of the signed analyses ({verb:word})",
    words=_PASSING,
)
ROLLOUT_SHIPPED = event_kind(
    "rollout.shipped", "Approved shipping release {number} after its A/B test"
)
ROLLOUT_RETRIED = event_kind(
    "rollout.retried",
    "Retried the {state} rollout",
    words={"state": (RolloutState.FAILED, RolloutState.ABORTED)},
)

WEIGHT_SET = event_kind("rollout.weight_set", "Sent {percent}% of the requests to the new revision")
SCALING_UP = event_kind(
    "rollout.scaling_up",
    "Prepared for {percent}% of the requests: the new revision is to have {replicas:replica} first",
)
TIMED_PAUSE = event_kind(
    "rollout.waiting", "Waiting {seconds:time}, {percent}% of the requests at the new revision"
)
PAUSE = event_kind(
    "rollout.waiting_for_person",
    "Waiting for an operator to resume it, {percent}% of the requests at the new revision",
)
ANALYSING = event_kind(
    "rollout.analysing", "Analyses the new revision with {percent}% of the requests"
)
ANALYSED = event_kind(
    "rollout.analysed",
    "Analysed the new revision in step {step}: {outcome:word}",
    words={"outcome": ("successful", "failed", "inconclusive", "error")},
)
TESTING = event_kind("rollout.testing", "A/B test with {percent}% at the new revision")
EFFECT_SHOWN = event_kind(
    "rollout.effect_shown", "Effect shown: waiting for an approver to ship it"
)
TESTERS_LED = event_kind(
    "rollout.testers_led", "Routed requests with the header {header} to the new revision"
)
COPIES_SET = event_kind(
    "rollout.copies_set", "Copied {percent}% of the requests to the new revision"
)
ENTERED: dict[str, EventKind] = {
    RolloutState.SHIFTING: event_kind("rollout.shifting", "Began to shift all requests"),
    RolloutState.DRAINING: event_kind("rollout.draining", "Went live"),
    RolloutState.RETURNING: event_kind(
        "rollout.returning", "Returned all requests to the live revision after the rollback test"
    ),
    RolloutState.DONE: event_kind("rollout.done", "Finished the rollout"),
    RolloutState.ABORTING: event_kind("rollout.aborting", "Started aborting the rollout"),
    RolloutState.ABORTED: event_kind("rollout.aborted", "Aborted the rollout"),
    RolloutState.FAILED: event_kind("rollout.failed", "The rollout failed"),
}


def scaling_up(place: int, step: SetWeight, replicas: int) -> tuple[EventKind, dict[str, Any]]:
    """Return the same of a step, the one at ``place`` of its plan, that gives its weight once the
    candidate has so many replicas."""
    percent = round(step.weight / 100, 2)
    return SCALING_UP, {"step": place + 1, "percent": percent, "replicas": replicas}


def entered(state: str, step: Step | None, weight: int) -> tuple[EventKind, dict[str, Any]]:
    """Return the kind and the data of the event that a rollout has entered ``state``.

    ``step`` is the one that it carries out, ``weight`` that of the candidate.
    """
    percent = round(weight / 100, 2)
    if state == RolloutState.WAITING and isinstance(step, Ship):
        return EFFECT_SHOWN, {}
    if state == RolloutState.ANALYSING and isinstance(step, AbTest):
        return TESTING, {"percent": percent}
    if state == RolloutState.WAITING and isinstance(step, Pause):
        if step.duration_seconds is None:
            return PAUSE, {"percent": percent}
        return TIMED_PAUSE, {"percent": percent, "seconds": step.duration_seconds}
    if state == RolloutState.ANALYSING:
        return ANALYSING, {"percent": percent}
    if state == RolloutState.SHIFTING and isinstance(step, SetHeaderRoute):
        return TESTERS_LED, {"header": step.header}
    if state == RolloutState.SHIFTING and isinstance(step, SetMirror):
        return COPIES_SET, {"percent": round(step.copies / 100, 2)}
    if state == RolloutState.SHIFTING and weight < WHOLE:
        return WEIGHT_SET, {"percent": percent}
    return ENTERED[state], {}
