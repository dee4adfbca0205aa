"""Rollback drills: running one, keeping to a schedule, and writing down what came of it.

A drill is a rollout of its own kind, so that nothing but a rollout moves requests: back to where
a rollback would go, under the same permit, and on to the live revision again as soon as the node
says that it followed. Whatever dies meanwhile, the reconciler brings that rollout to its end.
"""

from datetime import datetime

from apps.audit.actions import Recorder, record
from apps.governance.queries import frozen
from apps.identity.queries import authorize
from apps.monitoring.actions import close_settled, open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import UNRESOLVED, Alert, AlertKind
from apps.monitoring.queries import alerts_of, between, objective_of
from apps.rollouts import drills
from apps.rollouts.actions.going_back import check_return, open_return
from apps.rollouts.actions.start import ring_reconciler
from apps.rollouts.drills import DrillResult
from apps.rollouts.errors import DrillRefused
from apps.rollouts.events import DRILL_FINISHED, DRILL_SKIPPED, DRILL_STARTED
from apps.rollouts.models import Drill, DrillSchedule, DrillState, Rollout
from apps.rollouts.queries import former_revisions, rollout_under_way
from apps.rollouts.rules import STEPPING
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving.actions.locking import lock_endpoint
from apps.serving.drivers.kinds import driver_for
from apps.serving.errors import NotPermitted, Recalled
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import EndpointState, RevisionState
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.keystore import ring
from placet.kernel.states import move
from placet_verify.signing.keys import KeyRing

REASON = "A rollback drill: everything is given back as soon as it is seen to work"


def run_drill(endpoint: Endpoint, *, actor: Actor) -> Drill:
    """Roll the endpoint back for a moment, to see that it works and how long it takes.

    Needs ``drill.run``. Raises :class:`DrillRefused` with the reason when it must not be now.
    """
    keys = ring()
    with record(actor) as log:
        row = lock_endpoint(endpoint.pk)
        authorize(actor, "drill.run", row, view="endpoint.view")
        if why := obstacle(row, keys):
            raise DrillRefused(why)
        return _begin(row, log)


def run_planned(schedule: DrillSchedule) -> Drill | None:
    """Run the drill that ``schedule`` has planned, or write down why it is skipped.

    ``None`` when somebody else did, or when it is not due any more.
    """
    keys, at = ring(), now()
    planned = schedule.next_at
    with record(SYSTEM) as log:
        row = lock_endpoint(schedule.endpoint_id)
        following = drills.next_time(planned, schedule.every_days, at)
        mine = DrillSchedule.objects.filter(pk=schedule.pk, generation=schedule.generation)
        if planned > at or not mine.filter(next_at=planned).update(next_at=following):
            return None
        late = f"Placet did not run at {planned:%Y-%m-%d %H:%M} UTC"
        why = late if at - planned > drills.LATE else obstacle(row, keys)
        return _skip(row, log, why, planned) if why else _begin(row, log, planned)


def obstacle(endpoint: Endpoint, keys: KeyRing) -> str:
    """Return why no drill may begin now, in words; '' when one may."""
    if endpoint.state != EndpointState.ACTIVE:
        return f"The endpoint is {endpoint.state}"
    if Drill.objects.filter(endpoint=endpoint, state=DrillState.RUNNING).exists():
        return "A drill is under way"
    if rollout_under_way(endpoint) is not None:
        return "A rollout of the endpoint is under way"
    if frozen(endpoint.project_id, endpoint.environment, now()):
        return f"{endpoint.environment.capitalize()} is frozen"
    alert = alerts_of(endpoint).exclude(kind=AlertKind.DRILL_FAILED).first()
    if alert is not None:
        return f"An alert is open: {AlertKind(alert.kind).label.lower()}"
    if not driver_for(endpoint.target).observe(endpoint.target).alive:
        return f"The node of {endpoint.target} has not been heard of lately"
    return _nowhere_to_go(endpoint, keys)


def _nowhere_to_go(endpoint: Endpoint, keys: KeyRing) -> str:
    live = _live(endpoint)
    if live is None:
        return "Nothing is live"
    former = former_revisions(live)
    if not former:
        return "There is no earlier revision to go back to"
    if former[0].state != RevisionState.WARM:
        return f"Revision {former[0].number}, which a rollback goes to, is not kept warm any more"
    try:
        check_return(former[0], endpoint, keys)
    except (NotPermitted, Recalled) as refusal:
        return f"Revision {former[0].number} may not serve: {refusal.detail}"
    return ""


def _live(endpoint: Endpoint) -> Revision | None:
    return endpoint.revisions.filter(state=RevisionState.LIVE).first()


def _begin(endpoint: Endpoint, log: Recorder, planned: datetime | None = None) -> Drill:
    live = _live(endpoint)
    assert live is not None  # or there was an obstacle
    former = former_revisions(live)[0]
    rollout = open_return(live, former, kind=RolloutKind.DRILL, reason=REASON, actor=log.actor)
    drill = Drill.objects.create(
        project_id=endpoint.project_id,
        endpoint=endpoint,
        rollout=rollout,
        planned_for=planned,
        started_by=log.actor.id,
    )
    log.add(DRILL_STARTED, drill, rollout, data={"revision": former.number})
    ring_reconciler(rollout)
    return drill


def _skip(endpoint: Endpoint, log: Recorder, why: str, planned: datetime) -> Drill:
    drill = Drill.objects.create(
        project_id=endpoint.project_id,
        endpoint=endpoint,
        planned_for=planned,
        started_by=log.actor.id,
        state=DrillState.SKIPPED,
        reason=why,
        finished_at=now(),
    )
    log.add(DRILL_SKIPPED, drill)
    return drill


def take_over(endpoint: Endpoint, number: int | None, reason: str, log: Recorder) -> Rollout | None:
    """Make a drill that is on its way the rollback that is asked for: it goes on, and does not
    come back. Returns its rollout, for the caller to log; ``None`` when there is none, it goes
    to another revision than ``number``, or it is on the way back.
    """
    running = Drill.objects.filter(endpoint=endpoint, state=DrillState.RUNNING)
    drill = running.select_related("rollout__to_revision", "rollout__release").first()
    rollout = drill.rollout if drill is not None else None
    if drill is None or rollout is None or number not in (None, rollout.to_revision.number):
        return None
    columns = {"kind": RolloutKind.ROLLBACK, "started_by": log.actor.id, "reason": reason}
    if not move(rollout, expected=STEPPING, to=rollout.state, **columns):
        return None
    skipped = move(
        drill,
        expected=DrillState.RUNNING,
        to=DrillState.SKIPPED,
        reason="A rollback was asked for meanwhile",
        finished_at=now(),
    )
    assert skipped  # a drill whose rollout still steps is running
    log.add(DRILL_SKIPPED, drill)
    return rollout


def finish_drill(drill: Drill) -> bool:
    """Write down what came of a drill whose rollout has ended, once the node's counts are in.

    A failed one opens an alert, a passed one ends it, as does any of an endpoint that was deleted
    meanwhile. ``False`` when it is too early, or somebody else has written it.
    """
    rollout = drill.rollout
    if rollout is None or rollout.finished_at is None:
        return False
    if now() < rollout.finished_at + drills.FIGURES:
        return False
    ended = _ended(rollout, rollout.finished_at)
    why = drills.fault(ended)
    state = DrillState.FAILED if why else DrillState.PASSED
    with record(SYSTEM) as log:
        if not move(
            drill,
            expected=DrillState.RUNNING,
            to=state,
            reason=why,
            finished_at=now(),
            seconds=ended.seconds,
            return_seconds=ended.return_seconds,
            answers=ended.answers,
            failed_requests=ended.failed_requests,
        ):
            return False
        data = {"outcome": state.label.lower(), "seconds": ended.seconds}
        log.add(DRILL_FINISHED, drill, data=data)
        gone = Endpoint.objects.filter(pk=drill.endpoint_id, state=EndpointState.DELETED).exists()
        if why and not gone:
            _tell(drill, f"The rollback drill failed. {why}")
        else:
            close_settled(_alerts(drill), actor=SYSTEM)
    return True


def _ended(rollout: Rollout, finished_at: datetime) -> DrillResult:
    there, back = drills.lasted(rollout.phase_times, finished_at)
    began = rollout.phase_times.get(RolloutState.SHIFTING)
    since = datetime.fromisoformat(began) if began else finished_at
    names = [rollout.to_revision_id, rollout.from_revision_id or ""]
    measured = between(names, since, finished_at)
    former, every = measured[rollout.to_revision_id].counts, measured.values()
    trusted = all(part.trusted for part in every)
    return DrillResult(
        state=rollout.state,
        reason=rollout.reason,
        seconds=there,
        return_seconds=back,
        answers=former.requests,
        errors=former.status_5xx,
        failed_requests=sum(part.counts.status_5xx for part in every) if trusted else None,
    )


def tell_if_stuck(drill: Drill) -> bool:
    """Open an alert about a drill that has kept the requests away from the live revision for too
    long. Tell whether one was opened."""
    rollout = drill.rollout
    moved = rollout.phase_times.get(RolloutState.SHIFTING) if rollout is not None else None
    if rollout is None or rollout.finished_at is not None or moved is None:
        return False
    if now() - datetime.fromisoformat(moved) < drills.OVERDUE:
        return False
    return _tell(
        drill,
        f"A rollback drill has sent the requests to revision {rollout.to_revision.number}, and the "
        "node does not say that the live revision has them again.",
    )


def _tell(drill: Drill, summary: str) -> bool:
    endpoint, live = drill.endpoint, _live(drill.endpoint)
    objective = objective_of(endpoint)
    finding = AlertFinding(
        AlertKind.DRILL_FAILED,
        subject=endpoint.pk,
        about=f"{endpoint.name} in {endpoint.environment}",
        summary=summary,
        endpoint=endpoint,
        revision=live.pk if live else "",
        owner=objective.owner if objective else "",
    )
    return open_alert(finding, actor=SYSTEM) is not None


def _alerts(drill: Drill) -> list[Alert]:
    rows = Alert.objects.filter(
        kind=AlertKind.DRILL_FAILED, subject=drill.endpoint_id, state__in=UNRESOLVED
    )
    return list(rows)
