"""Signing the log as it grows."""

from apps.audit.actions import write_checkpoint
from apps.jobs.handlers import LeasedJob, every


@every(seconds=2, name="audit.checkpoint", queue="control")
def checkpoint(job: LeasedJob) -> dict[str, int] | None:
    """Write full tiles and a signed tree head when there are new events."""
    made = write_checkpoint()
    return {"size": made.size} if made else None
