"""Signing the log as it grows, and checking all of it when somebody asks."""

import time
from typing import Any

from apps.audit.actions import write_checkpoint
from apps.audit.actions.timestamps import stamp_checkpoints
from apps.audit.actions.witnesses import show_witnesses
from apps.audit.errors import LogRewritten
from apps.audit.queries import verify_database
from apps.jobs.actions import enqueue
from apps.jobs.handlers import LeasedJob, every, handler
from apps.monitoring import reconciler
from placet_verify.log.checking import LogReport


@every(seconds=2, name="audit.checkpoint", queue="control")
def checkpoint(job: LeasedJob) -> dict[str, int] | None:
    """Write full tiles and a signed tree head when there are new events."""
    try:
        head = write_checkpoint()
    except LogRewritten as error:
        reconciler.log_fault(error.detail)
        raise
    return {"size": head.size} if head else None


@every(seconds=5, name="audit.witnesses", queue="control")
def witnesses(job: LeasedJob) -> dict[str, int]:
    """Show the newest checkpoint to the witnesses, and raise an alert at what they find."""
    faults = show_witnesses()
    for witness, sentence in faults.items():
        reconciler.log_fault(sentence, subject=witness)
    return {"faults": len(faults)}


@every(seconds=60, name="audit.timestamps", queue="control")
def timestamps(job: LeasedJob) -> dict[str, int]:
    """Have the newest checkpoint stamped with the time, and raise an alert where that fails."""
    faults = stamp_checkpoints()
    for authority, sentence in faults.items():
        reconciler.log_fault(sentence, subject=f"timestamps/{authority}")
    return {"faults": len(faults)}


@every(seconds=86_400, name="audit.verify_daily", queue="control")
def verify_daily(job: LeasedJob) -> None:
    """Have the whole log verified once a day, whether or not anybody asks."""
    enqueue("audit.verify", key="log")


@handler("audit.verify", queue="control", max_attempts=1)
def verify(job: LeasedJob) -> dict[str, Any]:
    """Recompute every leaf, tile and root from the newest checkpoint outside the database."""
    began = time.monotonic()
    verification = verify_database()
    fault = verification.fault.sentence if verification.fault else _unsealed(verification.report)
    if fault:
        reconciler.log_fault(fault)
    return {
        "size": verification.report.size,
        "root": verification.report.root.hex(),
        "fault": fault,
        "started_size": verification.started_size,
        "seconds": round(time.monotonic() - began, 3),
    }


def _unsealed(report: LogReport) -> str:
    """Return the first event that claims to vouch for access without a good seal."""
    if not report.unsealed:
        return ""
    return f"{report.unsealed[0].sentence}: it claims to give access, and was appended past Placet"
