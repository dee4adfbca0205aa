"""Streams of the log and webhooks: sending what is next, and watching how that goes."""

from typing import Any

from apps.integrations import queries, reconciler, telling
from apps.jobs.handlers import LeasedJob, every, handler


@every(seconds=2, name="integrations.sweep", when=lambda: [queries.due()])
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


@every(seconds=30, name="integrations.watch", when=reconciler.anything_to_watch)
def watch(job: LeasedJob) -> dict[str, Any] | None:
    """Tell people of streams that lag too far behind."""
    return {**reconciler.watch()}


@every(seconds=2, name="integrations.spread", when=queries.anything_to_tell)
def spread(job: LeasedJob) -> dict[str, Any] | None:
    """Have webhooks told of what is new, and again of what did not get through."""
    return {**telling.spread(job)}


@handler("integrations.call", queue="control", max_attempts=3, alone=True)
def call(job: LeasedJob) -> dict[str, Any] | None:
    """Send what is due of one webhook."""
    return {**telling.tell(job.args["webhook"], job)}


@every(seconds=30, name="integrations.watch_webhooks", when=telling.anything_to_watch)
def watch_webhooks(job: LeasedJob) -> dict[str, Any] | None:
    """Tell people of webhooks that were disabled."""
    return {**telling.watch()}


@every(seconds=600, name="integrations.prune", queue="control")
def prune(job: LeasedJob) -> dict[str, Any] | None:
    """Forget deliveries of webhooks that are over."""
    return {**telling.prune(job)}


@every(seconds=600, name="integrations.reseal", queue="control")
def reseal(job: LeasedJob) -> dict[str, Any] | None:
    """Encrypt secrets of webhooks for the key in use."""
    return {**telling.reseal(job)}
