"""Refusals of this app."""

from placet.kernel.problems import Conflict


class RolloutOpen(Conflict):
    """Another rollout of the endpoint is under way."""

    code, title = "rollout_open", "Another rollout of this endpoint is under way"


class NothingToRollBackTo(Conflict):
    """No earlier revision."""

    code, title = "nothing_to_roll_back_to", "No earlier revision was live behind this endpoint"


class NotAbortable(Conflict):
    """Too late to abort, or ended."""

    code, title = "not_abortable", "This rollout cannot be aborted any more"


class PastSteps(Conflict):
    """The rollout has passed its steps, or ended."""

    code, title = "past_steps", "This rollout has no step to go on with any more"


class StepMoved(Conflict):
    """Somebody, or the clock, was first."""

    code, title = "step_moved", "The rollout is at another step by now: look again"


class NotSkippable(Conflict):
    """The candidate is not ready, or the step is the one that sends all requests."""

    code, title = "not_skippable", "There is no step to skip now"


class NotShown(Conflict):
    """An A/B test ships when its effect is shown and somebody approves it, by nothing else."""

    code, title = "not_shown", "Shipping needs the effect and an approval"


class NotRetryable(Conflict):
    """Only a release whose rollout failed or was aborted is tried again."""

    code, title = "not_retryable", "This rollout cannot be tried again"


class DrillRefused(Conflict):
    """No rollback drill may begin now."""

    code, title = "drill_refused", "No rollback drill may begin now"


class EndpointStopped(Conflict):
    """The endpoint is stopped."""

    code, title = "endpoint_stopped", "The endpoint is stopped: start it first"
