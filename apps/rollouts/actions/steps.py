"""What people do to a rollout that is under way: hold it, go on, skip a step, go to the end, ship.

Each needs ``rollout.operate`` (shipping: ``release.approve``) and a reason, and counts at once:
what it changes of the traffic is changed in its own transaction. Asked twice, the second finds it
done, or that the rollout is at another step than the one that was shown.
"""

from dataclasses import replace

from apps.audit.actions import record
from apps.governance.errors import Separation
from apps.governance.plan import AbTest, Ship
from apps.identity.queries import fresh_grants
from apps.identity.sign_in.freshness import demand_fresh, demand_session
from apps.rollouts import rules
from apps.rollouts.actions.advance import carry_out
from apps.rollouts.actions.passing import go_past
from apps.rollouts.actions.reasons import why
from apps.rollouts.actions.start import ring_reconciler
from apps.rollouts.actions.under_way import (
    carried,
    facts_of,
    locked,
    locked_to_go_on,
    note,
    time_left,
)
from apps.rollouts.errors import AlreadyPaused, NotShown, NotSkippable, StepMoved
from apps.rollouts.events import ROLLOUT_PAUSED, ROLLOUT_RESUMED, ROLLOUT_SHIPPED
from apps.rollouts.models import Rollout
from apps.rollouts.queries import last_look
from apps.rollouts.rules import PROMOTE, SKIP
from apps.rollouts.states import PAUSED_AT
from apps.rollouts.steps import untested
from placet.kernel.actor import Actor
from placet.kernel.clock import now, rfc3339


def pause(rollout: Rollout, *, reason: str, actor: Actor) -> Rollout:
    """Begin no further step until somebody resumes it; the present weights stay."""
    text = why(reason)
    with record(actor) as log:
        row = locked(rollout, actor)
        if row.paused_by and (row.paused_by, row.reason) != (actor.id, text):
            raise AlreadyPaused  # only a second click finds it done: another reason would be lost
        if not row.paused_by:
            times = {**row.phase_times, PAUSED_AT: rfc3339(now())}
            note(log, row, ROLLOUT_PAUSED, paused_by=actor.id, reason=text, phase_times=times)
    return row


def resume(rollout: Rollout, *, step: int, reason: str, actor: Actor) -> Rollout:
    """Go on: after a pause of somebody's, or past a pause of the plan that waits for a person.

    ``step`` is the one that was shown, so that a second click does not end the next pause too.
    """
    text = why(reason)
    with record(actor) as log:
        row = locked_to_go_on(rollout, actor, step=step)
        on = rules.go_on(facts_of(row))
        if on is not None:
            columns = {"paused_by": "", "reason": text}
            carried(carry_out(log, row, on, asked=(ROLLOUT_RESUMED, {}), **columns))
            ring_reconciler(row)
        elif row.paused_by:
            note(log, row, ROLLOUT_RESUMED, paused_by="", reason=text, deadline=time_left(row))
    return row


def skip(rollout: Rollout, *, step: int, reason: str, actor: Actor) -> Rollout:
    """Begin the next step now. ``step`` is the one to skip, as it was shown.

    A rollout that somebody holds stays held, at the next step. Past an analysis only as the policy
    of the release lets people: see :func:`go_past`.
    """
    text = why(reason)
    with record(actor) as log:
        row = locked_to_go_on(rollout, actor, step=step)
        if rules.skip(facts_of(row)) is None:
            if isinstance(row.steps[max(step, 0)], AbTest | Ship):
                raise NotShown(so_far(row))
            raise NotSkippable
        go_past(log, row, SKIP, text)
    return row


def promote(rollout: Rollout, *, step: int, reason: str, actor: Actor) -> Rollout:
    """Send all requests to the candidate now, or as soon as it is ready, and finish.

    ``step`` is the one that was shown: by it people know which analyses it goes past. Never past an
    A/B test: that ships by :func:`ship` alone.
    """
    text = why(reason)
    with record(actor) as log:
        row = locked_to_go_on(rollout, actor)
        if row.promoted_by:
            return row
        if step != row.step:
            raise StepMoved
        if untested(row.steps, row.step):
            raise NotShown(so_far(row))
        go_past(log, row, PROMOTE, text)
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
        row = locked(rollout, fresh, permission="release.approve")
        if actor.accountable in row.release.parties:
            raise Separation
        demand_fresh(actor)
        on = rules.go_on(facts_of(row), Ship())
        if on is None:
            raise NotShown(so_far(row))
        if step != row.step:
            raise StepMoved
        if row.paused_by:
            raise StepMoved("Somebody holds the rollout: it is resumed first")
        event = ROLLOUT_SHIPPED, {"number": row.release.number}
        carried(carry_out(log, row, on, asked=event, reason=text))
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
