"""Refusals of this app."""

from placet.kernel.problems import Conflict, Forbidden


class RolloutOpen(Conflict):
    """A rollout of the endpoint is under way: another one, where it does not say otherwise."""

    code, title = "rollout_open", "Another rollout of this endpoint is under way"


class NothingToRollBackTo(Conflict):
    """No earlier revision."""

    code, title = "nothing_to_roll_back_to", "There is no earlier revision to go back to"


class NotAbortable(Conflict):
    """Too late to abort, or ended."""

    code, title = "not_abortable", "This rollout can no longer be aborted"


class PastSteps(Conflict):
    """The rollout has passed its steps, or ended."""

    code, title = "past_steps", "This rollout has no further steps"


class AlreadyPaused(Conflict):
    """Somebody paused it before, for a reason of theirs."""

    code, title = "already_paused", "This rollout is paused already, and your reason was not kept"


class StepMoved(Conflict):
    """Somebody, or the clock, was first."""

    code, title = "step_moved", "The rollout has moved on to another step: look at it again"


class NotSkippable(Conflict):
    """The candidate is not ready, or the step is the one that sends all requests."""

    code, title = "not_skippable", "There is no step to skip now"


class AnalysesKept(Forbidden):
    """The policy of the release lets nobody pass over analyses of its plan."""

    code, title = "analyses_kept", "The policy forbids passing over analyses"


class PassingAsked(Conflict):
    """A second person is asked for something at this step already."""

    code, title = "passing_asked", "A second person is asked already"


class NoPassingAsked(Conflict):
    """Nobody waits for a second person, or not for what was shown."""

    code, title = "no_passing_asked", "Nothing waits for a second person here"


class OwnPassing(Forbidden):
    """Whoever asked does not confirm."""

    code, title = "own_passing", "Someone else has to answer: you asked for it"


class NotShown(Conflict):
    """An A/B test ships when its effect is shown and somebody approves it, by nothing else."""

    code, title = "not_shown", "Shipping needs the effect and an approval"


class NotRetryable(Conflict):
    """Only a release whose rollout failed or was aborted is tried again."""

    code, title = "not_retryable", "This rollout cannot be retried"


class DrillRefused(Conflict):
    """No rollback test can start now."""

    code, title = "drill_refused", "No rollback test can start now"


class EndpointStopped(Conflict):
    """The endpoint is stopped."""

    code, title = "endpoint_stopped", "The endpoint is stopped: start it first"
