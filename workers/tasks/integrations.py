"""Streams of the log: sending what is next, and watching how far behind they are."""

from typing import Any

from apps.integrations import reconciler
from apps.jobs.handlers import LeasedJob, every, handler


@every(seconds=2, name="integrations.sweep", queue="control")
def sweep(job: LeasedJob) -> dict[str, Any] | None:
    """Have the streams delivered that have something to send."""
    return {"due": reconciler.ring_due()}


@handler("integrations.deliver", queue="control", max_attempts=3, alone=True)
def deliver(job: LeasedJob) -> dict[str, Any] | None:
    """Send what is next of one stream."""
    return {**reconciler.deliver(job.args["stream"], job)}


@handler("integrations.test", queue="control", max_attempts=1, alone=True)
def test(job: LeasedJob) -> dict[str, Any] | None:
    """Send a test event of one stream."""
    delivery = reconciler.send_test(job.args["stream"], job)
    return {**delivery} if delivery else None


@every(seconds=30, name="integrations.watch", queue="control")
def watch(job: LeasedJob) -> dict[str, Any] | None:
    """Tell people of streams that lag too far behind."""
    return {**reconciler.watch()}
