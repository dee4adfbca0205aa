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


class EndpointStopped(Conflict):
    """The endpoint is stopped."""

    code, title = "endpoint_stopped", "The endpoint is stopped: start it first"
