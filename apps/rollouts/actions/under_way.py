"""A rollout under way, held for what somebody asks of it, and how that is stored."""

from datetime import datetime
from typing import Any

from apps.audit.actions import Recorder
from apps.audit.events import EventKind
from apps.governance.actions.locking import demand_fresh_at
from apps.identity.queries import authorize
from apps.rollouts.actions.locking import lock_rollout
from apps.rollouts.actions.start import ring_reconciler
from apps.rollouts.errors import PastSteps, StepMoved
from apps.rollouts.models import Rollout
from apps.rollouts.rules import STEPPING, RolloutSnapshot, is_held
from apps.rollouts.snapshots import NOTHING_SEEN, snapshot
from apps.rollouts.states import RolloutKind, RolloutState
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.states import move


def locked(
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


def locked_to_go_on(rollout: Rollout, actor: Actor, step: int | None = None) -> Rollout:
    """Lock a rollout for somebody who sends more to its candidate: where people approve what
    goes out, they have just shown who they are."""
    row = locked(rollout, actor, step=step)
    demand_fresh_at(row.release.policy, actor)
    return row


def facts_of(row: Rollout) -> RolloutSnapshot:
    """Return the facts as the rows say them: what people ask for waits for no news of the
    target."""
    return snapshot(row, NOTHING_SEEN, now())


def carried(stored: bool) -> None:
    """Refuse what was asked of a rollout that somebody moved meanwhile."""
    if not stored:
        raise StepMoved


def note(log: Recorder, row: Rollout, kind: EventKind, **columns: Any) -> None:
    """Store what somebody asked for; the state stays as it is."""
    carried(move(row, expected=row.state, to=row.state, **columns))
    log.add(kind, row)
    ring_reconciler(row)


def time_left(row: Rollout) -> datetime:
    """A rollout that was held while it waited for replicas has its whole time again."""
    waits = row.state == RolloutState.STARTING or is_held(facts_of(row))
    return row.ready_by(now()) if waits and row.paused_by else row.deadline
