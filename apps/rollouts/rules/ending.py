"""How a rollout ends, well or badly. Pure."""

from datetime import timedelta

from apps.rollouts.rules.facts import (
    DRAIN_SECONDS,
    GIVE_BACK_SECONDS,
    Intent,
    RevisionChange,
    RolloutSnapshot,
    wait,
)
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving.rules import ENDED, RevisionState
from placet_verify.units import WHOLE


def give_up(s: RolloutSnapshot) -> tuple[RevisionChange, ...]:
    """End a new revision that gets no requests. One that a rollback wanted was live before: it
    is stopped, so that the rollback can be tried again."""
    if s.kind == RolloutKind.RELEASE:
        return (RevisionChange("new", RevisionState.FAILED),)
    if s.new.state != RevisionState.WARM:
        return (RevisionChange("new", RevisionState.STOPPED),)
    return (RevisionChange("new", RevisionState.DRAINING),) if s.new.broken else ()


def live(s: RolloutSnapshot) -> Intent:
    """Make the new revision live; a drill, which has shown what it was to show, goes back."""
    if s.kind == RolloutKind.DRILL:
        return Intent(RolloutState.RETURNING, weights_back(s))
    keeps = s.kind == RolloutKind.RELEASE and s.plan.keep_warm_seconds > 0
    after = RevisionState.WARM if keeps else RevisionState.DRAINING
    gone = s.old is None or s.old.state in ENDED  # a recall has ended it
    leave = () if gone else (RevisionChange("old", after),)
    return Intent(RolloutState.DRAINING, (*leave, RevisionChange("new", RevisionState.LIVE)))


def weights_back(s: RolloutSnapshot) -> tuple[RevisionChange, ...]:
    """Give all weight back to the old revision."""
    if not s.new.weight:
        return ()
    back = (RevisionChange("old", weight=WHOLE),) if s.old else ()
    return (RevisionChange("new", weight=0), *back)


def draining(s: RolloutSnapshot) -> Intent:
    """The new revision is live: end when the old one is warm, or has drained."""
    old = s.old
    if old is None or old.state != RevisionState.DRAINING:
        return Intent(RolloutState.DONE)
    if s.fresh and old.gone:
        return Intent(RolloutState.DONE, (RevisionChange("old", RevisionState.STOPPED),))
    if s.now >= s.entered_at + timedelta(seconds=DRAIN_SECONDS):
        return Intent(RolloutState.DONE, (RevisionChange("old", RevisionState.STOPPED),))
    return wait("the old revision to finish its last requests")


def returning(s: RolloutSnapshot) -> Intent:
    """End a drill, once the live revision has all requests again; the former one stays warm."""
    if s.fresh and s.old is not None and s.old.applied_weight >= WHOLE:
        return Intent(RolloutState.DONE, (RevisionChange("new", _end_state(s)),))
    if _stable_is_gone(s):
        return Intent(RolloutState.DONE, (RevisionChange("new", _end_state(s)),))
    return wait("the node to send all requests to the live revision again")


def aborting(s: RolloutSnapshot) -> Intent:
    """End badly, once the old revision has all requests again.

    If that does not answer it may never. The next release, which may be what mends it, is not to
    wait for that; what answers meanwhile stays there.
    """
    end = RolloutState.ABORTED if s.by_operator else RolloutState.FAILED
    if s.new.state == RevisionState.WARM and s.new.weight == 0:
        return Intent(end)
    stop = (RevisionChange("new", _end_state(s)),)
    if s.old is None or s.new.state == RevisionState.STARTING:
        return Intent(end, stop)
    if s.fresh and s.old.applied_weight >= WHOLE:
        return Intent(end, stop)
    if _stable_is_gone(s):
        return Intent(
            end, (RevisionChange("new", RevisionState.WARM),) if s.new.ready_replicas else stop
        )
    return wait("the node to send all requests to the old revision again")


def _stable_is_gone(s: RolloutSnapshot) -> bool:
    """Tell whether the requests cannot be given back, and have waited long enough for it."""
    late = s.now >= s.entered_at + timedelta(seconds=GIVE_BACK_SECONDS)
    return late and s.fresh and s.alive and s.old is not None and not s.old.ready_replicas


def _end_state(s: RolloutSnapshot) -> RevisionState:
    """One that may still answer requests is drained; one that never got any is stopped. A drill
    leaves warm what it found warm."""
    if s.new.broken:
        return RevisionState.FAILED
    if s.kind == RolloutKind.DRILL:
        return RevisionState.WARM
    begun = s.new.state != RevisionState.STARTING
    return RevisionState.DRAINING if begun else RevisionState.STOPPED
