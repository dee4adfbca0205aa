"""What an operator does while or after a rollout: abort it, or roll the endpoint back."""

from apps.audit.actions import Recorder, record
from apps.identity.queries import authorize
from apps.rollouts.actions.drills import take_over
from apps.rollouts.actions.going_back import begin_return, check_return, open_return
from apps.rollouts.actions.locking import lock_rollout
from apps.rollouts.actions.reasons import why
from apps.rollouts.actions.start import refuse_open, ring_reconciler
from apps.rollouts.errors import EndpointStopped, NotAbortable, NothingToRollBackTo
from apps.rollouts.events import ENTERED
from apps.rollouts.models import Rollout
from apps.rollouts.queries import ROLLBACK_KEPT, former_revisions
from apps.rollouts.rules import STEPPING
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving import actions as serving
from apps.serving.actions.locking import lock_endpoint, lock_target
from apps.serving.errors import NothingLive
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import ENDED, EndpointState, RevisionState
from placet.kernel.actor import Actor
from placet.kernel.clock import now, rfc3339
from placet.kernel.keystore import ring
from placet.kernel.states import move
from placet_verify.signing.keys import KeyRing
from placet_verify.units import WHOLE

NOTHING_LEFT = (
    "A recall took off what had the requests before: none can go back there. To serve nothing, stop"
    " the endpoint"
)


def abort(rollout: Rollout, *, actor: Actor, reason: str) -> Rollout:
    """Send everything back to stable and end the rollout. Needs ``rollout.operate`` and a reason.

    Possible until the candidate is live; after that, roll back. Not where a recall ended what had
    the requests before: none could go back there.
    """
    text = why(reason)
    with record(actor) as log:
        row = lock_rollout(rollout, "from_revision", "to_revision", "release")
        authorize(actor, "rollout.operate", row, view="rollout.view")
        if row.from_revision is not None and row.from_revision.state in ENDED:
            raise NotAbortable(NOTHING_LEFT)
        times = {**row.phase_times, RolloutState.ABORTING: rfc3339(now())}
        if not move(
            row,
            expected=STEPPING,
            to=RolloutState.ABORTING,
            phase_times=times,
            aborted_by=actor.id,
            paused_by="",
            reason=text,
        ):
            raise NotAbortable(f"The rollout is {row.state}")
        give_back(row, actor)
        log.add(ENTERED[RolloutState.ABORTING], row)
        ring_reconciler(row)
    return row


def give_back(rollout: Rollout, actor: Actor) -> None:
    """Give the weight, if it was moved, back to stable."""
    candidate, stable = rollout.to_revision, rollout.from_revision
    if not candidate.weight:
        return
    serving.set_revision(candidate, weight=0, warm_until=candidate.warm_until, actor=actor)
    if stable is not None:
        serving.set_revision(stable, weight=WHOLE, actor=actor)


def rollback(
    endpoint: Endpoint, *, actor: Actor, reason: str, number: int | None = None
) -> Rollout:
    """Have the endpoint serve what it served before, or its revision ``number`` again.

    Needs ``rollout.operate`` and a reason, no new approval and no analysis. While a release goes
    out, what served before serves still: its rollout is aborted. Otherwise see :func:`go_back`.
    """
    text = why(reason)
    going_out = Rollout.objects.filter(
        endpoint=endpoint, kind=RolloutKind.RELEASE, state__in=STEPPING
    )
    open_one = going_out.exclude(from_revision=None).select_related("from_revision").first()
    before = open_one.from_revision if open_one is not None else None
    if open_one is not None and before is not None and number in (None, before.number):
        return abort(open_one, actor=actor, reason=text)
    return go_back(endpoint, actor=actor, reason=text, number=number)


def go_back(endpoint: Endpoint, *, actor: Actor, reason: str, number: int | None = None) -> Rollout:
    """Go back to the revision before the live one, or to this ``number``, if nothing is moving.

    A drill that is on its way there becomes the rollback.

    Its permit is verified again, but not its ``not_after``: that ends the right to start a
    release, never to go back to one. A warm revision takes over at once; a stopped one is
    started first, and until it is ready the present one serves.
    """
    keys = ring()  # a file: read before the transaction
    with record(actor) as log:
        return begin_going_back(endpoint, keys, log, reason=reason, number=number)


def begin_going_back(
    endpoint: Endpoint, keys: KeyRing, log: Recorder, *, reason: str, number: int | None = None
) -> Rollout:
    """Do what :func:`go_back` says in the transaction of ``log``, so that what else has to be
    true with it is written in the same one."""
    row = lock_endpoint(endpoint.pk)
    lock_target(row.target_id)  # before its revisions: a stopped one needs room there
    authorize(log.actor, "rollout.operate", row, view="endpoint.view")
    serving.refuse_deleted(row)
    if row.state != EndpointState.ACTIVE:
        raise EndpointStopped
    rollout = take_over(row, number, reason, log) or _open(row, number, reason, log.actor)
    check_return(rollout.to_revision, row, keys)
    begin_return(rollout, row, log)
    ring_reconciler(rollout)
    return rollout


def _open(endpoint: Endpoint, number: int | None, reason: str, actor: Actor) -> Rollout:
    refuse_open(endpoint)
    live = endpoint.revisions.filter(state=RevisionState.LIVE).first()
    if live is None:
        raise NothingLive
    previous = former_revision(live, number)
    return open_return(live, previous, kind=RolloutKind.ROLLBACK, reason=reason, actor=actor)


def former_revision(live: Revision, number: int | None) -> Revision:
    """Return the newest of the former revisions, or the one of this ``number`` among them."""
    revisions = former_revisions(live)
    if number is not None:
        revisions = [revision for revision in revisions if revision.number == number]
        if not revisions:
            raise NothingToRollBackTo(
                f"Revision {number} is none of the last {ROLLBACK_KEPT} that one may go back to"
            )
    if not revisions:
        raise NothingToRollBackTo
    return revisions[0]
