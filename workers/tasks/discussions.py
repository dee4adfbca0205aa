"""Discussions: scanning what people send with comments."""

from typing import Any

from apps.discussions import actions
from apps.jobs.handlers import LAST, LeasedJob, every, handler
from workers import file_scan


def gave_up(job: LeasedJob, error: str) -> None:
    """Remove what could not be scanned: nobody reads a file before it was."""
    actions.settle_scan(
        str(job.args["file"]), verdict="unscanned", found=file_scan.UNFINISHED, job=job
    )


@handler("discussions.scan", queue="build", max_attempts=3, on_failed=gave_up, rank=LAST)
def scan(job: LeasedJob) -> dict[str, Any] | None:
    """Scan one file."""
    return file_scan.scan(str(job.args["file"]), job)


@every(seconds=60, name="discussions.sweep")
def sweep(job: LeasedJob) -> dict[str, Any] | None:
    """Have files scanned whose scan was cancelled: nobody could read them."""
    return {"scanned_again": actions.scan_again()}
