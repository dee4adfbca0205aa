"""Storing the metrics that nodes report, and watching over what they and the jobs say."""

from typing import Any

from apps.jobs.actions import enqueue
from apps.jobs.handlers import LAST, LeasedJob, every, handler
from apps.monitoring import actions, reconciler
from apps.monitoring.actions.captures import unstored
from apps.monitoring.models import AlertState
from apps.rollouts.queries import analysing


@handler("monitoring.ingest", queue="control", max_attempts=5, keeps_args=False)
def ingest(job: LeasedJob) -> dict[str, Any] | None:
    """Store the windows of one report, and have them looked at by who waits for them.

    Those that came before are left as they are.
    """
    stored = actions.ingest(job.args["node"], job.args["windows"])
    for target in analysing(job.args["node"]):
        enqueue("rollouts.reconcile_target", key=target, target=target)
    return {"stored": stored}


@every(seconds=10, name="monitoring.watch", when=reconciler.anything_to_watch)
def watch(job: LeasedJob) -> dict[str, Any] | None:
    """Judge objectives, replicas and nodes; open and end alerts."""
    return {**reconciler.watch_endpoints()}


@every(seconds=60, name="monitoring.watch_jobs", queue="control")
def watch_jobs(job: LeasedJob) -> dict[str, Any] | None:
    """Open alerts about jobs that failed."""
    return {**reconciler.watch_jobs()}


@handler("monitoring.mail", queue="control", max_attempts=8)
def mail(job: LeasedJob) -> dict[str, Any] | None:
    """Tell people that an alert came into a state."""
    return {"told": actions.mail_alert(job.args["alert"], AlertState(job.args["state"]))}


@every(seconds=3600, name="monitoring.forget", queue="control")
def forget(job: LeasedJob) -> dict[str, Any] | None:
    """Delete windows older than a month, captured predictions and outcomes past their time."""
    return {
        "deleted": actions.forget_old(),
        "outcomes": actions.forget_outcomes(),
        "predictions": actions.forget_captures(),  # last: a file of them may not be deletable
    }


@every(seconds=300, name="monitoring.add_up_hours", queue="control")
def add_up_hours(job: LeasedJob) -> dict[str, Any] | None:
    """Add windows up to hours."""
    return {**actions.add_up_hours()}


@every(seconds=10, name="monitoring.store_captures", when=unstored)
def store_captures(job: LeasedJob) -> dict[str, Any] | None:
    """Store the captured predictions that nodes sent."""
    return {"stored": actions.store_captures()}


@handler("monitoring.erase", queue="control", max_attempts=20, rank=LAST)
def erase(job: LeasedJob) -> dict[str, Any] | None:
    """Erase what was captured of the units that people named, at one endpoint."""
    if "erasure" in job.args:  # asked for before an endpoint's were carried out together
        return {"erased": actions.carry_out(job.args["erasure"])}
    return {"erased": actions.carry_out_open(job.args["endpoint"])}


@every(seconds=300, name="monitoring.ask_for_erasures", queue="control")
def ask_for_erasures(job: LeasedJob) -> dict[str, Any] | None:
    """Ask again for erasures that are open and that no job carries out."""
    return {"asked": actions.ask_for_open()}
