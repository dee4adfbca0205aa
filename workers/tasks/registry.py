"""The registry's share of the work."""

from typing import Any

from apps.jobs.handlers import LeasedJob, every
from apps.registry import actions
from placet.kernel.actor import SYSTEM


@every(seconds=3600, name="registry.expire_uploads", queue="control")
def expire_uploads(job: LeasedJob) -> dict[str, Any]:
    """Drop uploads that were not finished within a day."""
    return {"dropped": actions.expire_uploads(actor=SYSTEM)}
