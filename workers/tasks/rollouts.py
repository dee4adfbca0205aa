"""Rollouts: starting them when a release is approved, and moving them on."""

from typing import Any

from apps.governance.models import Release
from apps.governance.rules import ReleaseState
from apps.jobs.actions import enqueue
from apps.jobs.each import each
from apps.jobs.handlers import LeasedJob, Retry, every, handler
from apps.rollouts import actions, queries, reconciler
from apps.serving.errors import NoRoom, TargetNotListed
from apps.serving.models import Target
from placet.kernel.actor import SYSTEM


@handler("rollouts.start", queue="control", max_attempts=3)
def start(job: LeasedJob) -> dict[str, Any] | None:
    """Start the rollout of a release that was approved, when its turn has come, its target lists it
    and there is room; its page says meanwhile what it waits for."""
    release = Release.objects.select_related("endpoint", "environment", "bento").get(
        pk=job.args["release"]
    )
    turn = actions.take_turn(release) if release.state == ReleaseState.APPROVED else "never"
    if turn == "later":
        raise Retry(actions.BUSY, after=5, counts=False)
    if turn == "never":
        return {"state": release.state}
    try:
        rollout = actions.start_rollout(release, actor=SYSTEM)
    except (NoRoom, TargetNotListed) as why:
        raise Retry(why.detail, after=5, counts=False) from why
    return {"rollout": rollout.pk}


def answer_failed(job: LeasedJob, error: str) -> None:
    """Tell people that the rollback which an alert asked for failed for good."""
    actions.give_up(str(job.args["alert"]), error)


@handler("rollouts.answer_alert", queue="control", max_attempts=5, on_failed=answer_failed)
def answer(job: LeasedJob) -> dict[str, Any] | None:
    """Roll back what an alert says is not good enough, if its objective asks for that."""
    outcome = actions.answer_alert(str(job.args["alert"]))
    if outcome == "wait":
        raise Retry("Another rollout is under way", after=5, counts=False)
    return {"outcome": outcome}


@handler("rollouts.reconcile", queue="control", max_attempts=20)
def reconcile(job: LeasedJob) -> dict[str, Any] | None:
    """Move one rollout on as far as it goes."""
    return {"ended": reconciler.reconcile(job.args["rollout"], job).name}


@handler("rollouts.reconcile_target", queue="control", max_attempts=5)
def reconcile_target(job: LeasedJob) -> dict[str, Any] | None:
    """Move on what waits for news of one target, which have come.

    A rollout that cannot be moved on stops no other: it is told of when all have had their turn.
    """
    target = Target.objects.get(pk=job.args["target"])
    rollouts, faults = queries.unfinished(target), list[Exception]()
    each(lambda rollout: reconciler.reconcile(rollout, job), rollouts, faults)
    counts = reconciler.look_after(target, job)
    if faults:
        raise faults[0]
    return {"rollouts": len(rollouts), **counts}


@every(seconds=5, name="rollouts.drills", when=queries.drills_to_look_at)
def drills(job: LeasedJob) -> dict[str, Any] | None:
    """Finish the drills that have ended, tell of those that do not, begin those that are due.

    One that this cannot be done with stops no other.
    """
    under_way, faults = queries.drills_under_way(), list[Exception]()
    finished = sum(each(actions.finish_drill, under_way, faults))
    stuck = sum(each(actions.tell_if_stuck, under_way, faults))
    due = each(actions.run_planned, queries.drills_due(), faults)
    if faults:
        raise faults[0]
    return {"finished": finished, "stuck": stuck, "due": len(due)}


@every(seconds=5, name="rollouts.sweep", when=queries.with_deadlines)
def sweep(job: LeasedJob) -> dict[str, Any] | None:
    """Have looked at what has a deadline: open rollouts, warm and draining revisions."""
    targets = queries.targets_to_look_at()
    for target in targets:
        enqueue("rollouts.reconcile_target", key=target.pk, target=target.pk)
    return {"targets": len(targets)}
