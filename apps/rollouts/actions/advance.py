"""The system's own writes: storing a decision of the reconciler, and what follows from it."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from apps.audit.actions import Recorder, record
from apps.audit.events import EventKind
from apps.governance import actions as governance
from apps.governance.models import Release
from apps.governance.plan import Plan, SetWeight
from apps.governance.rules import ReleaseState
from apps.registry import actions as registry
from apps.registry.actions.locking import lock_versions
from apps.registry.models import Hold, HoldReason
from apps.rollouts.actions.aliases import follow_live
from apps.rollouts.analysis import KeptVerdict
from apps.rollouts.events import ANALYSED, ROLLOUT_PAUSED, entered, scaling_up
from apps.rollouts.models import Look, Rollout
from apps.rollouts.queries import ROLLBACK_KEPT
from apps.rollouts.rules import OPEN_STATES, STEPPING, TRANSITIONS, Intent, RevisionChange
from apps.rollouts.states import ENDED_BADLY, PAUSED_AT, RolloutKind, RolloutState
from apps.serving import actions as serving
from apps.serving.actions.locking import lock_endpoint
from apps.serving.drivers.base import StateGeneration
from apps.serving.errors import RevisionMoved
from apps.serving.models import Revision
from apps.serving.rules import RevisionState
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now, rfc3339
from placet.kernel.states import move
from placet_protocol.state import HeaderRouteEntry

Asked = tuple[EventKind, dict[str, Any]]


class Fence(Protocol):
    """The lease that a reconciler works under."""

    def fence(self) -> None:
        """Hold the lease for the current transaction, or raise."""
        ...


def advance(
    rollout: Rollout, intent: Intent, *, job: Fence, verdict: KeptVerdict | None = None
) -> bool:
    """Store ``intent``: the rollout's next state and what becomes of its revisions.

    ``verdict`` is that of the analysis which ends with it, and goes into the log. ``False`` when
    the rollout or a revision is not what the decision was made on any more; nothing was written
    then.
    """
    try:
        with record(SYSTEM) as log:
            job.fence()
            return carry_out(log, rollout, intent, asked=_analysed(rollout, verdict))
    except RevisionMoved:
        return False


def _analysed(rollout: Rollout, verdict: KeptVerdict | None) -> Asked | None:
    if verdict is None or rollout.judged_step is None:
        return None
    return ANALYSED, {"step": rollout.judged_step + 1, **verdict}


def keep_look(rollout: Rollout, verdict: KeptVerdict, *, at: datetime, job: Fence) -> None:
    """Keep what an analysis says."""
    assert rollout.judged_step is not None
    with record(SYSTEM):
        job.fence()
        Look.objects.create(
            rollout=rollout,
            step=rollout.judged_step,
            at=at,
            outcome=verdict["outcome"],
            verdict=verdict,
        )


def carry_out(
    log: Recorder, rollout: Rollout, intent: Intent, *, asked: Asked | None = None, **columns: Any
) -> bool:
    """Do what ``intent`` says, in the transaction that ``log`` belongs to; ``columns`` go with it.

    ``asked`` is logged before the state, as what a person did to bring it about. ``False`` when
    somebody else has moved the rollout meanwhile; raises :class:`RevisionMoved` when a revision
    was, and what was begun is taken back with the transaction.
    """
    assert intent.to in TRANSITIONS[rollout.state]
    lock_endpoint(rollout.endpoint_id)
    if not move(
        rollout, expected=rollout.state, to=intent.to, **(_changes(rollout, intent) | columns)
    ):
        return False
    _change_revisions(rollout, intent, log.actor)
    if asked is not None:
        log.add(asked[0], rollout, data=asked[1])
    kind, data = _entered(rollout, intent)
    log.add(kind, rollout, data=data)
    _consequences(log, rollout)
    return True


def _changes(rollout: Rollout, intent: Intent) -> dict[str, Any]:
    assert intent.to is not None
    moment = now()
    at = rfc3339(moment)
    if intent.pauses:
        times = {**rollout.phase_times, PAUSED_AT: at}
        return {"paused_by": SYSTEM.id, "phase_times": times, "reason": intent.reason}
    changes: dict[str, Any] = {
        "phase_times": {**rollout.phase_times, intent.to: at},
        "reason": intent.reason or rollout.reason,
        "finished_at": None if intent.to in OPEN_STATES else moment,
    }
    if intent.to not in STEPPING:
        changes["paused_by"] = ""
    if intent.step is not None:
        changes["step"] = intent.step
        changes["step_times"] = {**rollout.step_times, str(intent.step): at}
        begins = intent.step != rollout.step
        if begins and isinstance(rollout.steps[intent.step], SetWeight) and not _gives(intent):
            changes["deadline"] = rollout.ready_by(moment)  # the replicas that it waits for
    return changes


def _entered(rollout: Rollout, intent: Intent) -> Asked:
    assert intent.to is not None
    if intent.pauses:
        return ROLLOUT_PAUSED, {}
    step = rollout.steps[rollout.step] if rollout.step >= 0 else None
    if intent.to == RolloutState.SHIFTING and isinstance(step, SetWeight) and not _gives(intent):
        return scaling_up(rollout.step, step, rollout.to_revision.replicas)
    return entered(intent.to, step, rollout.to_revision.weight)


def _gives(intent: Intent) -> bool:
    return any(change.weight is not None for change in intent.changes)


def _change_revisions(rollout: Rollout, intent: Intent, actor: Actor) -> None:
    for change in intent.changes:
        revision = rollout.to_revision if change.which == "candidate" else rollout.from_revision
        assert revision is not None
        warm_until = None
        if rollout.kind == RolloutKind.DRILL:  # it leaves that time as it found it
            warm_until = revision.warm_until
        elif change.state == RevisionState.WARM:
            keep = Plan.stored(rollout.release.plan).keep_warm_seconds
            warm_until = now() + timedelta(seconds=keep)
        serving.set_revision(
            revision,
            state=change.state,
            weight=change.weight,
            warm_until=warm_until,
            header_route=_header_route(change),
            mirror=change.copies,
            replicas=change.replicas,
            by_itself=not rollout.aborted_by,
            actor=actor,
        )


def _header_route(change: RevisionChange) -> HeaderRouteEntry | None:
    led = change.header
    return HeaderRouteEntry(header=led.header, value=led.value) if led is not None else None


def _consequences(log: Recorder, rollout: Rollout) -> None:
    if rollout.state == RolloutState.DRAINING:
        _went_live(rollout)
    elif rollout.state in ENDED_BADLY and rollout.kind == RolloutKind.RELEASE:
        _ended_badly(rollout)


def _ended_badly(rollout: Rollout) -> None:
    """The release is aborted by whoever ended its rollout, else it has failed."""
    release, reason, by = rollout.release, rollout.reason, rollout.aborted_by
    if rollout.state == RolloutState.ABORTED:
        governance.mark_aborted(release, reason=reason, asked_by=by, actor=SYSTEM)
    else:
        governance.mark_failed(release, reason=reason, actor=SYSTEM)


def _went_live(rollout: Rollout) -> None:
    """The release is live, the one before is superseded or rolled back, and others cool down."""
    if rollout.kind == RolloutKind.ROLLBACK and rollout.from_revision is not None:
        left = Release.objects.get(pk=rollout.from_revision.release)
        if left.state == ReleaseState.REVOKED:  # by a recall
            governance.restore_live(rollout.release, actor=SYSTEM)
        else:
            governance.mark_rolled_back(
                left,
                restored=rollout.release,
                reason=rollout.reason,
                asked_by=rollout.started_by,
                actor=SYSTEM,
            )
    else:
        governance.mark_live(rollout.release, actor=SYSTEM)
    follow_live([rollout.endpoint_id])
    _move_holds(rollout)
    keep = {rollout.to_revision_id, rollout.from_revision_id}
    others = Revision.objects.filter(endpoint=rollout.endpoint_id, state=RevisionState.WARM)
    for revision in others.exclude(pk__in=keep).select_related("endpoint"):
        serving.set_revision(revision, state=RevisionState.DRAINING, actor=SYSTEM)


def _move_holds(rollout: Rollout) -> None:
    """A version that serves, or that one may roll back to, cannot be deleted.

    Of an endpoint's former revisions the last few count; what is older may be collected.
    """
    candidate, stable = rollout.to_revision, rollout.from_revision
    served = rollout.endpoint.revisions.exclude(pk=candidate.pk).exclude(live_at=None)
    beyond = served.order_by("-live_at")[ROLLBACK_KEPT:].values("pk")
    ended = Hold.objects.filter(reason=HoldReason.ROLLBACK, holder__in=beyond).select_related(
        "version"
    )
    kept = [row.bento.version_id for row in (candidate, stable) if row is not None]
    lock_versions([*kept, *ended.values_list("version", flat=True)])
    registry.place_hold(
        candidate.bento.version, reason=HoldReason.LIVE, holder=candidate.pk, actor=SYSTEM
    )
    if stable is not None:
        registry.release_hold(
            stable.bento.version, reason=HoldReason.LIVE, holder=stable.pk, actor=SYSTEM
        )
        registry.place_hold(
            stable.bento.version, reason=HoldReason.ROLLBACK, holder=stable.pk, actor=SYSTEM
        )
    for hold in ended:
        registry.release_hold(
            hold.version, reason=HoldReason.ROLLBACK, holder=hold.holder, actor=SYSTEM
        )


def record_command(rollout: Rollout, receipt: StateGeneration, *, job: Fence) -> bool:
    """Note that the driver was told this generation, and the number that carries it."""
    with record(SYSTEM):
        job.fence()
        return bool(
            Rollout.objects.filter(
                pk=rollout.pk, generation=rollout.generation, commanded__lt=rollout.generation
            ).update(
                commanded=rollout.generation,
                told_epoch=receipt.epoch,
                told_number=receipt.number,
            )
        )


def retire(revision: Revision, *, state: str, job: Fence) -> bool:
    """Let a warm revision drain, or end one that has drained."""
    try:
        with record(SYSTEM):
            job.fence()
            lock_endpoint(revision.endpoint_id)
            serving.set_revision(revision, state=state, actor=SYSTEM)
    except RevisionMoved:
        return False
    return True
