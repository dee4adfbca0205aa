"""Identity's share of the work."""

from typing import Any

from apps.identity.actions.idempotency import expire
from apps.jobs.handlers import LeasedJob, every


@every(seconds=3600, name="identity.expire_idempotency", queue="control")
def expire_idempotency(job: LeasedJob) -> dict[str, Any]:
    """Remove idempotency records older than a day."""
    return {"removed": expire()}
