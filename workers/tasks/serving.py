"""Signing desired states."""

from typing import Any

import structlog

from apps.jobs.handlers import FIRST, LeasedJob, every, handler
from apps.serving import actions, desired, queries
from apps.serving.drivers.kinds import driver_for
from apps.serving.models import Target
from placet.kernel.keystore import KeyUnavailable, opening_keys

log = structlog.get_logger(__name__)


@handler("serving.publish", queue="control", max_attempts=20, rank=FIRST)
def publish(job: LeasedJob) -> dict[str, Any] | None:
    """Hand everything that is desired on a target to its driver."""
    target = Target.objects.filter(pk=job.args["target"]).first()
    if target is None:
        return None
    receipt = driver_for(target).apply(target)
    return {"epoch": receipt.epoch, "number": receipt.number}


@handler("serving.publish_all", queue="control", max_attempts=20, rank=FIRST)
def publish_all(job: LeasedJob) -> dict[str, Any]:
    """Do so for each of many targets. One that fails is tried again by a job of its own."""
    failed = [target for target in job.args["targets"] if not _applied(target)]
    for target in failed:
        desired.publish(target)
    return {"failed": failed}


def _applied(target_id: str) -> bool:
    try:
        target = Target.objects.filter(pk=target_id).first()
        if target is not None:
            driver_for(target).apply(target)
    except Exception:
        log.exception("publish_failed", target=target_id)
        return False
    return True


@every(seconds=600, name="serving.renew", queue="control")
def renew(job: LeasedJob) -> dict[str, Any] | None:
    """Have states signed anew before they run out."""
    return {"renewed": desired.publish_running_out()}


@every(seconds=600, name="serving.reseal", queue="control")
def reseal(job: LeasedJob) -> dict[str, Any] | None:
    """Encrypt values of secrets for the secret key in use."""
    try:
        keys = opening_keys()
    except KeyUnavailable:  # whoever seals one for a node says so
        return {"resealed": 0}
    versions = queries.versions_behind_key(keys.public)
    return {"resealed": actions.reseal_secrets(versions, keys, job=job)}
