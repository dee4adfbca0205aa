"""What the pages ask for that is not an action of one app."""

from apps.jobs.actions import enqueue
from apps.jobs.models import Job
from placet.kernel.actor import Actor
from placet.kernel.problems import NeedsPermission


def ask_to_verify(*, actor: Actor) -> Job:
    """Have the whole log checked by a worker; asking again while one waits changes nothing.

    Nothing is written to the log: a check is a reading, and its answer is the job's result.
    """
    if not actor.can_somewhere("audit.view"):
        raise NeedsPermission(actor, "audit.view", scope=None)
    return enqueue("audit.verify", key="log")
