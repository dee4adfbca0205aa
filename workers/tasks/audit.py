"""Signing the log as it grows, and checking all of it when somebody asks."""

import time
from typing import Any

from apps.audit.actions import verify_growth, write_checkpoint
from apps.audit.actions.timestamps import stamp_checkpoints
from apps.audit.actions.witnesses import show_witnesses, witnesses_due
from apps.audit.errors import LogRewritten
from apps.audit.queries import verify_database
from apps.audit.queries.due import unsigned, unverified
from apps.audit.queries.verify_new import report_fault
from apps.jobs.actions import enqueue
from apps.jobs.handlers import LeasedJob, every, handler
from apps.monitoring import reconciler


@every(seconds=2, name="audit.checkpoint", when=unsigned)
def checkpoint(job: LeasedJob) -> dict[str, int] | None:
    """Write full tiles and a signed tree head when there are new events."""
    try:
        head = write_checkpoint()
    except LogRewritten as error:
        reconciler.log_fault(error.detail)
        raise
    return {"size": head.size} if head else None


@every(seconds=5, name="audit.witnesses", when=witnesses_due)
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


@every(seconds=5, name="audit.verify_new", when=unverified)
def verify_new(job: LeasedJob) -> dict[str, Any] | None:
    """Verify what came to the log since the last time, up to the newest checkpoint."""
    verified = verify_growth()
    if verified is None:
        return None
    if verified.fault:
        reconciler.log_fault(verified.fault)
    return {"size": verified.size, "fault": verified.fault}


@every(seconds=86_400, name="audit.verify_daily", queue="control")
def verify_daily(job: LeasedJob) -> None:
    """Have the whole log verified once a day, whether or not anybody asks."""
    enqueue("audit.verify", key="log")


@handler("audit.verify", queue="control", max_attempts=1)
def verify(job: LeasedJob) -> dict[str, Any]:
    """Recompute every leaf, tile and root from the newest checkpoint outside the database."""
    began = time.monotonic()
    verification = verify_database()
    found = verification.fault or report_fault(verification.report)
    fault = found.sentence if found else ""
    if fault:
        reconciler.log_fault(fault)
    return {
        "size": verification.report.size,
        "root": verification.report.root.hex(),
        "fault": fault,
        "started_size": verification.started_size,
        "seconds": round(time.monotonic() - began, 3),
    }
