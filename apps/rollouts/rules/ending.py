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
    """End a candidate that gets no requests. One that a rollback wanted was live before: it
    is stopped, so that the rollback can be tried again."""
    if s.kind == RolloutKind.RELEASE:
        return (RevisionChange("candidate", RevisionState.FAILED),)
    if s.candidate.state != RevisionState.WARM:
        return (RevisionChange("candidate", RevisionState.STOPPED),)
    return (RevisionChange("candidate", RevisionState.DRAINING),) if s.candidate.broken else ()


def live(s: RolloutSnapshot) -> Intent:
    """Make the candidate live; a drill, which has shown what it was to show, goes back."""
    if s.kind == RolloutKind.DRILL:
        return Intent(RolloutState.RETURNING, weights_back(s))
    keeps = s.kind == RolloutKind.RELEASE and s.plan.keep_warm_seconds > 0
    after = RevisionState.WARM if keeps else RevisionState.DRAINING
    gone = s.stable is None or s.stable.state in ENDED  # a recall has ended it
    leave = () if gone else (RevisionChange("stable", after, replicas=_left(s) if keeps else None),)
    return Intent(RolloutState.DRAINING, (*leave, RevisionChange("candidate", RevisionState.LIVE)))


def _left(s: RolloutSnapshot) -> int | None:
    """Return how many replicas stable is to keep warm at least: where its node scales it, there may
    be fewer than it began with, and a way back to it is to wait for none."""
    return s.stable.scaling.least if s.stable and s.stable.scaling else None


def weights_back(s: RolloutSnapshot) -> tuple[RevisionChange, ...]:
    """Give all weight back to stable."""
    if not s.candidate.weight:
        return ()
    back = (RevisionChange("stable", weight=WHOLE),) if s.stable else ()
    return (RevisionChange("candidate", weight=0), *back)


def draining(s: RolloutSnapshot) -> Intent:
    """The candidate is live: end when stable is warm, or has drained."""
    stable = s.stable
    if stable is None or stable.state != RevisionState.DRAINING:
        return Intent(RolloutState.DONE)
    if s.fresh and stable.gone:
        return Intent(RolloutState.DONE, (RevisionChange("stable", RevisionState.STOPPED),))
    if s.now >= s.entered_at + timedelta(seconds=DRAIN_SECONDS):
        return Intent(RolloutState.DONE, (RevisionChange("stable", RevisionState.STOPPED),))
    return wait(f"{s.leaving} to finish its last requests")


def returning(s: RolloutSnapshot) -> Intent:
    """End a drill, once the live revision has all requests again; the former one stays warm."""
    if s.fresh and s.stable is not None and s.stable.applied_weight >= WHOLE:
        return Intent(RolloutState.DONE, (RevisionChange("candidate", _end_state(s)),))
    if _stable_is_gone(s):
        return Intent(RolloutState.DONE, (RevisionChange("candidate", _end_state(s)),))
    return wait("the node to send all requests to the live revision again")


def aborting(s: RolloutSnapshot) -> Intent:
    """End badly, once stable has all requests again.

    If that does not answer it may never. The next release, which may be what mends it, is not to
    wait for that; what answers meanwhile stays there.
    """
    end = RolloutState.ABORTED if s.by_operator else RolloutState.FAILED
    if s.candidate.state == RevisionState.WARM and s.candidate.weight == 0:
        return Intent(end)
    stop = (RevisionChange("candidate", _end_state(s)),)
    if s.stable is None or s.candidate.state == RevisionState.STARTING:
        return Intent(end, stop)
    if s.fresh and s.stable.applied_weight >= WHOLE:
        return Intent(end, stop)
    if _stable_is_gone(s):
        return Intent(
            end,
            (RevisionChange("candidate", RevisionState.WARM),)
            if s.candidate.ready_replicas
            else stop,
        )
    return wait(f"the node to send all requests to {s.leaving} again")


def _stable_is_gone(s: RolloutSnapshot) -> bool:
    """Tell whether the requests cannot be given back, and have waited long enough for it."""
    late = s.now >= s.entered_at + timedelta(seconds=GIVE_BACK_SECONDS)
    return late and s.fresh and s.alive and s.stable is not None and not s.stable.answers


def _end_state(s: RolloutSnapshot) -> RevisionState:
    """One that may still answer requests is drained; one that never got any is stopped. A drill
    leaves warm what it found warm."""
    if s.candidate.broken:
        return RevisionState.FAILED
    if s.kind == RolloutKind.DRILL:
        return RevisionState.WARM
    begun = s.candidate.state != RevisionState.STARTING
    return RevisionState.DRAINING if begun else RevisionState.STOPPED
