"""Taking recalled revisions off an endpoint: at once, and back to what was good before, or stop.

Called by assurance inside its unit of work, with the releases revoked. What the rows say follows;
the node stops what is recalled as soon as it hears of it, whatever else it is told.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import structlog

from apps.audit.actions import Recorder, record
from apps.governance import actions as governance
from apps.rollouts.actions.advance import carry_out
from apps.rollouts.actions.drills import take_over
from apps.rollouts.actions.going_back import begin_return, check_return, open_return
from apps.rollouts.actions.start import ring_reconciler
from apps.rollouts.actions.under_way import time_left
from apps.rollouts.events import ENTERED, ROLLOUT_RESUMED
from apps.rollouts.models import Rollout
from apps.rollouts.queries import former_revisions
from apps.rollouts.rules import OPEN_STATES
from apps.rollouts.rules.deciding import enter
from apps.rollouts.snapshots import NOTHING_SEEN, snapshot
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving import actions as serving
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import PRESENT, EndpointState, RevisionState
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.problems import Problem
from placet.kernel.states import move
from placet_verify.signing.keys import KeyRing
from placet_verify.units import WHOLE

log_lines = structlog.get_logger(__name__)
NOTHING_LEFT = "{}, and nothing else was to serve instead"
GOING_OUT = (
    "Ended with what was live, which a recall took off. An operator can retry it until it expires, "
    "if its endpoint runs"
)


@dataclass(frozen=True, slots=True)
class TakenOff:
    """What became of an endpoint, and of which revision it went back to."""

    live: str = ""  # the revision that was live and is recalled
    action: Literal["nothing", "ended", "fell_back", "stopped"] = "nothing"
    fallback: Revision | None = None


def take_off(
    endpoint: Endpoint, bad: Collection[str], *, stop: bool, reason: str, keys: KeyRing
) -> TakenOff:
    """End the revisions ``bad`` (ids) of ``endpoint``, which the caller holds.

    When one of them is live the endpoint falls back to its last good revision; it stops when
    ``stop`` says so or there is none. A rollback that is on its way to a good one goes on; what
    else moves the endpoint and has to do with a bad one ends.
    """
    with record(SYSTEM) as log:
        present = Revision.objects.select_related("endpoint__target").filter(
            endpoint=endpoint, state__in=PRESENT
        )
        revisions = [row for row in present.order_by("number") if row.pk in bad]
        live = present.filter(state=RevisionState.LIVE).first()
        returning = _end_moving(endpoint, bad, reason, log)
        for revision in revisions:
            serving.set_revision(revision, state=RevisionState.FAILED, weight=0, actor=SYSTEM)
        if live is None or live.pk not in bad:
            if live is not None and live.weight < WHOLE and not _moving(endpoint):
                serving.set_revision(live, weight=WHOLE, actor=SYSTEM)
            return TakenOff(action="ended" if revisions else "nothing")
        live.refresh_from_db()
        back = None if stop else returning or _fall_back(live, reason, keys, log)
        if back is not None:
            return TakenOff(live.pk, "fell_back", back)
        _end_all(endpoint, reason, log)
        if endpoint.state == EndpointState.ACTIVE:
            serving.stop_endpoint(endpoint, reason=NOTHING_LEFT.format(reason), actor=SYSTEM)
        return TakenOff(live.pk, "stopped")


def _moving(endpoint: Endpoint) -> Rollout | None:
    """Return the open rollout. Most endpoints have none, and to ask whether costs a fifth of it."""
    rollouts = Rollout.objects.filter(endpoint=endpoint, state__in=OPEN_STATES)
    if not rollouts.exists():
        return None
    named = rollouts.select_related("endpoint", "from_revision", "to_revision", "release")
    return named.select_for_update(of=("self",), no_key=True).first()


def _end_moving(
    endpoint: Endpoint, bad: Collection[str], reason: str, log: Recorder
) -> Revision | None:
    """End the open rollout if it has to do with a bad revision; return where it goes on to if it
    is a rollback to a good one, as a drill becomes."""
    rollout = _moving(endpoint)
    if rollout is None or not {rollout.from_revision_id, rollout.to_revision_id} & set(bad):
        return None
    if rollout.state == RolloutState.DRAINING and rollout.to_revision_id not in bad:
        return None  # the good one is live already
    if rollout.to_revision_id not in bad and rollout.kind != RolloutKind.RELEASE:
        if rollout.kind == RolloutKind.ROLLBACK and rollout.state != RolloutState.ABORTING:
            _let_go_on(rollout, log)
            return rollout.to_revision
        taken = take_over(endpoint, None, reason, log)
        if taken is not None:
            _let_go_on(taken, log)
            ring_reconciler(taken)
            return taken.to_revision
    _end(rollout, bad, reason, log)
    return None


def _let_go_on(rollout: Rollout, log: Recorder) -> None:
    """Nobody holds a way back from what was recalled."""
    columns = {"paused_by": "", "deadline": time_left(rollout)}
    if rollout.paused_by and move(rollout, expected=OPEN_STATES, to=rollout.state, **columns):
        log.add(ROLLOUT_RESUMED, rollout)
        ring_reconciler(rollout)


def _end_all(endpoint: Endpoint, reason: str, log: Recorder) -> None:
    rollout = _moving(endpoint)
    if rollout is not None:
        _end(rollout, (), reason, log)


def _end(rollout: Rollout, bad: Collection[str], reason: str, log: Recorder) -> None:
    """End a rollout from whatever state, and what it tried out."""
    candidate = rollout.to_revision
    times = {**rollout.phase_times, RolloutState.ABORTED: rfc3339(now())}
    move(
        rollout,
        expected=OPEN_STATES,
        to=RolloutState.ABORTED,
        reason=reason[:2000],
        paused_by="",
        phase_times=times,
        finished_at=now(),
    )
    if candidate.pk not in bad and candidate.state in (RevisionState.STARTING, RevisionState.READY):
        back = (
            RevisionState.WARM if candidate.state == RevisionState.READY else RevisionState.STOPPED
        )
        after = RevisionState.FAILED if rollout.kind == RolloutKind.RELEASE else back
        serving.set_revision(candidate, state=after, weight=0, warm_until=now(), actor=SYSTEM)
        if rollout.kind == RolloutKind.RELEASE:
            governance.mark_aborted(rollout.release, reason=GOING_OUT, actor=SYSTEM)
    log.add(ENTERED[RolloutState.ABORTED], rollout)
    ring_reconciler(rollout)


def _fall_back(live: Revision, reason: str, keys: KeyRing, log: Recorder) -> Revision | None:
    """Begin to go back to the newest former revision that may run; ``None`` when there is none."""
    for former in former_revisions(live):
        try:
            with record(SYSTEM):
                _go_back(live, former, reason, keys, log)
        except Problem as refusal:
            log_lines.info("no_fallback", revision=former.pk, why=refusal.detail)
            continue
        return former
    return None


def _go_back(live: Revision, former: Revision, reason: str, keys: KeyRing, log: Recorder) -> None:
    check_return(former, live.endpoint, keys)
    rollout = open_return(
        live, former, kind=RolloutKind.ROLLBACK, reason=reason[:2000], actor=SYSTEM
    )
    begin_return(rollout, live.endpoint, log)
    if former.state == RevisionState.WARM:  # it runs: the requests are its own from now on
        carry_out(log, rollout, enter(snapshot(rollout, NOTHING_SEEN, now()), 0))
    ring_reconciler(rollout)
