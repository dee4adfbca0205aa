"""What people do to a rollout that is under way: hold it, go on, skip a step, go to the end, ship.

Each needs ``rollout.operate`` (shipping: ``release.approve``) and a reason, and counts at once:
what it changes of the traffic is changed in its own transaction. Asked twice, the second finds it
done, or that the rollout is at another step than the one that was shown.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from apps.audit.actions import Recorder, record
from apps.audit.events import EventKind
from apps.governance.actions.locking import demand_fresh_at
from apps.governance.errors import Separation
from apps.governance.plan import AbTest, Plan, Ship
from apps.identity.queries import authorize, fresh_grants
from apps.identity.sign_in.freshness import demand_fresh, demand_session
from apps.rollouts import rules
from apps.rollouts.actions.advance import carry_out
from apps.rollouts.actions.locking import lock_rollout
from apps.rollouts.actions.reasons import why
from apps.rollouts.actions.start import ring_reconciler
from apps.rollouts.errors import AlreadyPaused, NotShown, NotSkippable, PastSteps, StepMoved
from apps.rollouts.events import (
    ROLLOUT_PAUSED,
    ROLLOUT_PROMOTED,
    ROLLOUT_RESUMED,
    ROLLOUT_SHIPPED,
    STEP_SKIPPED,
)
from apps.rollouts.models import Rollout
from apps.rollouts.queries import last_look
from apps.rollouts.rules import STEPPING, RolloutSnapshot
from apps.rollouts.snapshots import NOTHING_SEEN, snapshot
from apps.rollouts.states import PAUSED_AT, RolloutKind, RolloutState
from apps.rollouts.steps import untested
from placet.kernel.actor import Actor
from placet.kernel.clock import now, rfc3339
from placet.kernel.states import move


def pause(rollout: Rollout, *, reason: str, actor: Actor) -> Rollout:
    """Begin no further step until somebody resumes it; the present weights stay."""
    text = why(reason)
    with record(actor) as log:
        row = _locked(rollout, actor)
        if row.paused_by and (row.paused_by, row.reason) != (actor.id, text):
            raise AlreadyPaused  # only a second click finds it done: another reason would be lost
        if not row.paused_by:
            times = {**row.phase_times, PAUSED_AT: rfc3339(now())}
            _note(log, row, ROLLOUT_PAUSED, paused_by=actor.id, reason=text, phase_times=times)
    return row


def resume(rollout: Rollout, *, step: int, reason: str, actor: Actor) -> Rollout:
    """Go on: after a pause of somebody's, or past a pause of the plan that waits for a person.

    ``step`` is the one that was shown, so that a second click does not end the next pause too.
    """
    text = why(reason)
    with record(actor) as log:
        row = _locked_to_go_on(rollout, actor, step=step)
        on = rules.go_on(_facts(row))
        if on is not None:
            columns = {"paused_by": "", "reason": text}
            _carried(carry_out(log, row, on, asked=(ROLLOUT_RESUMED, {}), **columns))
            ring_reconciler(row)
        elif row.paused_by:
            _note(log, row, ROLLOUT_RESUMED, paused_by="", reason=text, deadline=time_left(row))
    return row


def skip(rollout: Rollout, *, step: int, reason: str, actor: Actor) -> Rollout:
    """Begin the next step now. ``step`` is the one to skip, as it was shown.

    A rollout that somebody holds stays held, at the next step.
    """
    text = why(reason)
    with record(actor) as log:
        row = _locked_to_go_on(rollout, actor, step=step)
        past = rules.skip(_facts(row))
        if past is None:
            if isinstance(row.steps[max(step, 0)], AbTest | Ship):
                raise NotShown(so_far(row))
            raise NotSkippable
        event = STEP_SKIPPED, {"step": step + 1}
        _carried(carry_out(log, row, past, asked=event, reason=text))
        ring_reconciler(row)
    return row


def promote(rollout: Rollout, *, reason: str, actor: Actor) -> Rollout:
    """Send all requests to the candidate now, or as soon as it is ready, and finish.

    Never past an A/B test: that ships by :func:`ship` alone.
    """
    text = why(reason)
    with record(actor) as log:
        row = _locked_to_go_on(rollout, actor)
        if row.promoted_by:
            return row
        if untested(row.steps, row.step):
            raise NotShown(so_far(row))
        columns = {"promoted_by": actor.id, "paused_by": "", "reason": text}
        end = rules.promote(_facts(row))
        if end is None:
            _note(log, row, ROLLOUT_PROMOTED, deadline=time_left(row), **columns)
        else:
            _carried(carry_out(log, row, end, asked=(ROLLOUT_PROMOTED, {}), **columns))
            ring_reconciler(row)
    return row


def ship(rollout: Rollout, *, step: int, reason: str, actor: Actor) -> Rollout:
    """Send all requests to the candidate of an A/B test whose effect is shown.

    Needs ``release.approve``, held at this instant by a person in a browser session who neither
    asked for the release nor made the version. ``step`` is the one that was shown.
    """
    demand_session(actor)
    text = why(reason)
    with record(actor) as log:
        fresh = replace(actor, grants=fresh_grants(actor.id, lock=True))
        row = _locked(rollout, fresh, permission="release.approve")
        if actor.accountable in row.release.parties:
            raise Separation
        demand_fresh(actor)
        on = rules.go_on(_facts(row), Ship())
        if on is None:
            raise NotShown(so_far(row))
        if step != row.step:
            raise StepMoved
        if row.paused_by:
            raise StepMoved("Somebody holds the rollout: it is resumed first")
        event = ROLLOUT_SHIPPED, {"number": row.release.number}
        _carried(carry_out(log, row, on, asked=event, reason=text))
        ring_reconciler(row)
    return row


def so_far(row: Rollout) -> str:
    """Say why an A/B test is not shipped now."""
    if not untested(row.steps, row.step):
        return "This rollout has no A/B test to ship"
    if row.waits_to_ship:
        return "The effect is shown: only an approver can ship it"
    look = last_look(row)
    sentence = look.verdict["sentence"] if look is not None else "Nothing was measured yet"
    return f"The effect is not shown. {sentence.rstrip('.')}. Abort to keep what serves"


def _locked(
    rollout: Rollout, actor: Actor, permission: str = "rollout.operate", step: int | None = None
) -> Rollout:
    """Lock a rollout for somebody who may do that to it, while it has steps before it."""
    row = lock_rollout(
        rollout,
        "release__version",
        "release__policy",
        "from_revision__endpoint",
        "to_revision__endpoint",
    )
    authorize(actor, permission, row, view="rollout.view")
    if row.kind == RolloutKind.DRILL:
        raise PastSteps("A rollback drill is not held or hurried: abort it")
    if row.state not in STEPPING:
        raise PastSteps(f"The rollout is {row.state}")
    if step is not None and step != row.step:
        raise StepMoved
    return row


def _locked_to_go_on(rollout: Rollout, actor: Actor, step: int | None = None) -> Rollout:
    """Lock a rollout for somebody who sends more to its candidate: where people approve what
    goes out, they have just shown who they are."""
    row = _locked(rollout, actor, step=step)
    demand_fresh_at(row.release.policy, actor)
    return row


def _facts(row: Rollout) -> RolloutSnapshot:
    """The facts as the rows say them: what people ask for waits for no news of the target."""
    return snapshot(row, NOTHING_SEEN, now())


def _carried(stored: bool) -> None:
    if not stored:
        raise StepMoved


def _note(log: Recorder, row: Rollout, kind: EventKind, **columns: Any) -> None:
    """Store what somebody asked for; the state stays as it is."""
    _carried(move(row, expected=row.state, to=row.state, **columns))
    log.add(kind, row)
    ring_reconciler(row)


def time_left(row: Rollout) -> datetime:
    """A rollout that was held before its candidate was ready has its whole time again."""
    if row.state != RolloutState.STARTING or not row.paused_by:
        return row.deadline
    return now() + timedelta(seconds=Plan.stored(row.release.plan).ready_timeout_seconds)
