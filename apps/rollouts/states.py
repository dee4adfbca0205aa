"""What a rollout is, and where it stands. Below steps and rules, which both name states."""

from enum import StrEnum


class RolloutKind(StrEnum):
    """Why an endpoint moves: a release goes out, or it goes back, for good or as a rehearsal."""

    RELEASE = "release"
    ROLLBACK = "rollback"
    DRILL = "drill"


class RolloutState(StrEnum):
    """``starting``, the steps (``shifting``, ``waiting``, ``analysing``), ``draining``, ``done``.

    A drill ends by ``returning → done``, and whatever goes badly by ``aborting → aborted``, or
    ``failed``. ``apps.rollouts.rules`` draws the automaton.
    """

    STARTING = "starting"
    SHIFTING = "shifting"
    WAITING = "waiting"
    ANALYSING = "analysing"
    DRAINING = "draining"
    RETURNING = "returning"
    DONE = "done"
    ABORTING = "aborting"
    ABORTED = "aborted"
    FAILED = "failed"


class PassingState(StrEnum):
    """What became of going past analyses: ``done``, at once or by a second person. What such a
    person is asked for stays ``asked`` when nobody answers: the rollout went on or ended."""

    ASKED = "asked"
    DONE = "done"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


PAUSED_AT = "paused"  # beside the states in ``phase_times``: a rollout is paused in any of several

# A step that holds the present weight: for a time, for a person, or until something is shown.
HOLDING = (RolloutState.WAITING, RolloutState.ANALYSING)
AT_A_STEP = (RolloutState.SHIFTING, *HOLDING)
# States in which the candidate is not live yet, and people may still hold, hurry or abort it.
STEPPING = (RolloutState.STARTING, *AT_A_STEP)
OPEN_STATES = (
    *STEPPING,
    RolloutState.DRAINING,
    RolloutState.RETURNING,
    RolloutState.ABORTING,
)
ENDED_STATES = (RolloutState.DONE, RolloutState.ABORTED, RolloutState.FAILED)
ENDED_BADLY = (RolloutState.FAILED, RolloutState.ABORTED)
