"""Signing desired states."""

from typing import Any

from apps.jobs.handlers import LeasedJob, every, handler
from apps.serving import desired
from apps.serving.drivers import driver_for
from apps.serving.models import Target


@handler("serving.publish", queue="control", max_attempts=20)
def publish(job: LeasedJob) -> dict[str, Any] | None:
    """Hand everything that is desired on a target to its driver."""
    target = Target.objects.filter(pk=job.args["target"]).first()
    if target is None:
        return None
    receipt = driver_for(target).apply(target)
    return {"epoch": receipt.epoch, "number": receipt.number}


@every(seconds=600, name="serving.renew", queue="control")
def renew(job: LeasedJob) -> dict[str, Any] | None:
    """Have states signed anew before they run out."""
    return {"renewed": desired.publish_running_out()}
