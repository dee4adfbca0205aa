"""What this app writes into the log: one kind for each state that a rollout can enter."""

from apps.audit.events import EventKind, event_kind

ROLLOUT_STARTED = event_kind("rollout.started", "Started rolling out {release}")
ROLLBACK_STARTED = event_kind("rollout.rollback_started", "Started rolling back to {release}")

ENTERED: dict[str, EventKind] = {
    "shifting": event_kind("rollout.shifting", "Sent all requests to the new revision"),
    "draining": event_kind("rollout.draining", "The new revision is live"),
    "done": event_kind("rollout.done", "Finished the rollout"),
    "aborting": event_kind("rollout.aborting", "Began to abort the rollout"),
    "aborted": event_kind("rollout.aborted", "Aborted the rollout"),
    "failed": event_kind("rollout.failed", "The rollout failed"),
}
