"""Storing the metrics that nodes report."""

from typing import Any

from apps.jobs.handlers import LeasedJob, every, handler
from apps.monitoring import actions


@handler("monitoring.ingest", queue="control", max_attempts=5)
def ingest(job: LeasedJob) -> dict[str, Any] | None:
    """Store the windows of one report; those that came before are left as they are."""
    return {"stored": actions.ingest(job.args["node"], job.args["windows"])}


@every(seconds=3600, name="monitoring.forget", queue="control")
def forget(job: LeasedJob) -> dict[str, Any] | None:
    """Delete what is older than a month."""
    return {"deleted": actions.forget_old()}
