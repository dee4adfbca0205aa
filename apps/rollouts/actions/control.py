"""What people do to a rollout that is under way: hold it, go on, skip a step, go to the end.

Each needs ``rollout.operate`` and a reason, and counts at once: what it changes of the traffic is
changed in its own transaction. Asked twice, the second finds it done, or that the rollout is at
another step than the one that was shown.
"""

from datetime import datetime, timedelta
from typing import Any

from apps.audit.actions import Recorder, record
from apps.audit.events import EventKind
from apps.governance.actions.locking import clean_text
from apps.identity.queries import authorize
from apps.rollouts import rules
from apps.rollouts.actions.advance import carry_out
from apps.rollouts.actions.start import ring_reconciler
from apps.rollouts.errors import NotSkippable, PastSteps, StepMoved
from apps.rollouts.events import ROLLOUT_PAUSED, ROLLOUT_PROMOTED, ROLLOUT_RESUMED, STEP_SKIPPED
from apps.rollouts.models import Rollout
from apps.rollouts.rules import STEPPING, Snapshot
from apps.rollouts.snapshots import NOTHING_SEEN, snapshot
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.states import move


def pause(rollout: Rollout, *, reason: str, actor: Actor) -> Rollout:
    """Begin no further step until somebody resumes it; the present weights stay."""
    text = _text(reason)
    with record(actor) as log:
        row = _held(rollout, actor)
        if not row.paused_by:
            _note(log, row, ROLLOUT_PAUSED, paused_by=actor.id, reason=text)
    return row


def resume(rollout: Rollout, *, step: int, reason: str, actor: Actor) -> Rollout:
    """Go on: after a pause of somebody's, or past a pause of the plan that waits for a person.

    ``step`` is the one that was shown, so that a second click does not end the next pause too.
    """
    text = _text(reason)
    with record(actor) as log:
        row = _held(rollout, actor, step)
        on = rules.go_on(_facts(row))
        if on is not None:
            columns = {"paused_by": "", "reason": text}
            _carried(carry_out(log, row, on, asked=(ROLLOUT_RESUMED, {}), **columns))
            ring_reconciler(row)
        elif row.paused_by:
            _note(log, row, ROLLOUT_RESUMED, paused_by="", reason=text, deadline=_deadline(row))
    return row


def skip(rollout: Rollout, *, step: int, reason: str, actor: Actor) -> Rollout:
    """Begin the next step now. ``step`` is the one to skip, as it was shown.

    A rollout that somebody holds stays held, at the next step.
    """
    text = _text(reason)
    with record(actor) as log:
        row = _held(rollout, actor, step)
        past = rules.skip(_facts(row))
        if past is None:
            raise NotSkippable
        asked = STEP_SKIPPED, {"step": step + 1}
        _carried(carry_out(log, row, past, asked=asked, reason=text))
        ring_reconciler(row)
    return row


def promote(rollout: Rollout, *, reason: str, actor: Actor) -> Rollout:
    """Send all requests to the new revision now, or as soon as it is ready, and finish."""
    text = _text(reason)
    with record(actor) as log:
        row = _held(rollout, actor)
        if row.promoted_by:
            return row
        columns = {"promoted_by": actor.id, "paused_by": "", "reason": text}
        end = rules.promote(_facts(row))
        if end is None:
            _note(log, row, ROLLOUT_PROMOTED, deadline=_deadline(row), **columns)
        else:
            _carried(carry_out(log, row, end, asked=(ROLLOUT_PROMOTED, {}), **columns))
            ring_reconciler(row)
    return row


def _text(reason: str) -> str:
    return clean_text("reason", reason, limit=2000, empty=False)


def _held(rollout: Rollout, actor: Actor, step: int | None = None) -> Rollout:
    """Lock a rollout for somebody who may operate it, while it has steps before it."""
    beside = ("release", "endpoint", "from_revision__endpoint", "to_revision__endpoint")
    rows = Rollout.objects.select_for_update(of=("self",)).select_related(*beside)
    row = rows.get(pk=rollout.pk)
    authorize(actor, "rollout.operate", row, view="rollout.view")
    if row.state not in STEPPING:
        raise PastSteps(f"The rollout is {row.state}")
    if step is not None and step != row.step:
        raise StepMoved
    return row


def _facts(row: Rollout) -> Snapshot:
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


def _deadline(row: Rollout) -> datetime:
    """A rollout that was held before its new revision was ready has its whole time again."""
    if row.state != "starting" or not row.paused_by:
        return row.deadline
    return now() + timedelta(seconds=rules.plan_of(row.release.plan).ready_timeout_seconds)
