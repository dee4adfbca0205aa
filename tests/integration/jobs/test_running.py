"""Jobs on one thread: what is claimed, retried, cancelled and fenced."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from apps.audit.models import Event
from apps.jobs import handlers as registry
from apps.jobs.actions import cancel, enqueue, run_due, run_one, settle_restored, tidy
from apps.jobs.actions.lease import claim, count_ready
from apps.jobs.handlers import FIRST, Cancelled, LeasedJob, LeaseLost, Retry, handler
from apps.jobs.models import Job, JobState
from placet.kernel.actor import SYSTEM, Actor, Grant, Scope
from placet.kernel.clock import database_now
from placet.kernel.problems import Conflict, Forbidden, NotFound
from tests.support.meeting import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_HANDLERS", {})
    monkeypatch.setattr(registry, "_TIMETABLES", {})
    yield


def steal(job_id: str) -> None:
    """Another worker claims the job because its lease ran out."""
    Job.objects.filter(pk=job_id).update(lease_until=database_now() - timedelta(seconds=1))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET generation = generation + 1 WHERE id = %s", [job_id])


def due_now(job_id: str) -> None:
    Job.objects.filter(pk=job_id).update(due_at=database_now())


def test_a_job_runs_once_and_keeps_its_result() -> None:
    seen: list[LeasedJob] = []

    @handler("t.add")
    def run(job: LeasedJob) -> dict[str, Any]:
        seen.append(job)
        return {"sum": job.args["a"] + job.args["b"]}

    job = enqueue("t.add", a=1, b=2, project="prj_x")
    assert run_due() == 1
    assert run_due() == 0
    job.refresh_from_db()
    assert (job.state, job.result, job.attempts) == (JobState.SUCCEEDED, {"sum": 3}, 1)
    assert [(j.attempt, j.project) for j in seen] == [(1, "prj_x")]


def test_an_unknown_or_forged_id_is_nothing_to_do() -> None:
    assert run_one("job_" + "0" * 32) is False
    assert run_one("'; drop table jobs_job; --") is False


def test_a_job_of_a_kind_this_worker_does_not_know_is_left_for_others() -> None:
    job = enqueue("t.future")
    assert run_due() == 0
    job.refresh_from_db()
    assert job.state == JobState.QUEUED


def test_an_error_is_retried_later_and_ends_in_words() -> None:
    ended: list[str] = []

    def on_failed(job: LeasedJob, error: str) -> None:
        ended.append(error)

    @handler("t.broken", max_attempts=2, on_failed=on_failed)
    def run(job: LeasedJob) -> None:
        raise ValueError("the disk is full")

    job = enqueue("t.broken")
    assert run_due() == 1
    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.QUEUED, "ValueError: the disk is full")
    assert job.due_at > database_now() + timedelta(seconds=1)
    assert run_due() == 0
    due_now(job.pk)
    assert run_due() == 1
    job.refresh_from_db()
    assert (job.state, job.attempts) == (JobState.FAILED, 2)
    assert ended == ["ValueError: the disk is full"]


def test_a_hook_that_breaks_does_not_keep_the_job_open() -> None:
    def on_failed(job: LeasedJob, error: str) -> None:
        raise RuntimeError("the hook is broken too")

    @handler("t.twice", max_attempts=1, on_failed=on_failed)
    def run(job: LeasedJob) -> None:
        raise ValueError("no")

    job = enqueue("t.twice")
    run_due()
    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.FAILED, "ValueError: no")


def test_waiting_uses_up_no_attempt() -> None:
    @handler("t.wait", max_attempts=1)
    def run(job: LeasedJob) -> None:
        raise Retry("the node is not ready", after=0, counts=False)

    job = enqueue("t.wait")
    assert run_due(limit=3) == 3
    job.refresh_from_db()
    assert (job.state, job.attempts, job.error) == (JobState.QUEUED, 0, "the node is not ready")


def test_a_worker_that_died_is_followed_by_another_which_uses_up_no_attempt() -> None:
    attempts: list[int] = []

    @handler("t.once", max_attempts=1)
    def run(job: LeasedJob) -> None:
        attempts.append(job.attempt)

    job = enqueue("t.once")
    past = database_now() - timedelta(seconds=1)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, attempts=1, generation=1, lease_until=past
    )
    assert run_due() == 1
    job.refresh_from_db()
    assert (job.state, job.losses, job.generation, attempts) == (JobState.SUCCEEDED, 1, 2, [1])


def test_a_job_that_kills_every_worker_is_given_up() -> None:
    @handler("t.deadly")
    def run(job: LeasedJob) -> None:
        raise AssertionError("must not be run again")

    job = enqueue("t.deadly")
    past = database_now() - timedelta(seconds=1)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, attempts=5, losses=4, generation=5, lease_until=past
    )
    run_due()
    job.refresh_from_db()
    assert (job.state, job.error) == (
        JobState.FAILED,
        "The worker died 5 times while running this job",
    )


def test_a_live_lease_is_not_taken() -> None:
    @handler("t.held")
    def run(job: LeasedJob) -> None:
        raise AssertionError

    job = enqueue("t.held")
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, lease_until=database_now() + timedelta(seconds=9)
    )
    assert run_due() == 0


def test_who_lost_the_lease_writes_nothing_any_more() -> None:
    @handler("t.slow")
    def run(job: LeasedJob) -> dict[str, Any]:
        steal(job.id)
        with pytest.raises(LeaseLost), transaction.atomic():
            job.fence()
        assert job.cancelled()
        return {"mine": True}

    job = enqueue("t.slow")
    run_due()
    job.refresh_from_db()
    assert (job.state, job.result) == (JobState.RUNNING, None)


@pytest.mark.django_db(transaction=True)
def test_the_fence_wants_a_transaction() -> None:
    errors: list[str] = []

    @handler("t.bare")
    def run(job: LeasedJob) -> None:
        try:
            job.fence()
        except RuntimeError as error:
            errors.append(str(error))

    enqueue("t.bare")
    run_due()
    assert errors == ["fence() guards a transaction: call it inside one"]


def test_a_key_is_unique_while_it_waits_and_the_earlier_time_counts() -> None:
    first = enqueue("t.keyed", key="k", delay=60)
    second = enqueue("t.keyed", key="k")
    assert second.pk == first.pk
    assert second.due_at < first.due_at
    assert enqueue("t.keyed", key="other").pk != first.pk
    assert Job.objects.count() == 2


def test_work_under_one_key_never_runs_twice_at_the_same_time() -> None:
    order: list[str] = []

    @handler("t.serial")
    def run(job: LeasedJob) -> None:
        if not order:
            order.append("first starts")
            following = enqueue("t.serial", key="k")
            assert following.pk != job.id
            assert run_one(following.pk) is False
            order.append("first ends")
        else:
            order.append("second")

    enqueue("t.serial", key="k")
    assert run_due(limit=5) == 2
    assert order == ["first starts", "first ends", "second"]


def test_a_retry_gives_way_to_newer_work_of_the_same_key() -> None:
    @handler("t.merge")
    def run(job: LeasedJob) -> None:
        enqueue("t.merge", key="k", delay=30)
        raise Retry("again")

    job = enqueue("t.merge", key="k")
    run_due()
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert job.error == "again (a newer job of this key takes over)"


def operator(project: str | None) -> Actor:
    grants = {Grant("job.cancel", Scope(project)), Grant("job.view", Scope(project))}
    return Actor(kind="person", id="per_op", grants=frozenset(grants))


def test_an_operator_cancels_a_waiting_job_and_the_log_says_so() -> None:
    job = enqueue("t.any", project="prj_a")
    cancel(job.pk, actor=operator("prj_a"))
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert Event.objects.get().kind == "job.cancelled.v1"
    with pytest.raises(Conflict):
        cancel(job.pk, actor=operator("prj_a"))


def test_an_operator_of_another_project_does_not_find_the_job() -> None:
    job = enqueue("t.any", project="prj_a")
    with pytest.raises(NotFound):
        cancel(job.pk, actor=operator("prj_b"))


def test_a_viewer_of_the_project_sees_the_job_but_may_not_cancel_it() -> None:
    job = enqueue("t.any", project="prj_a")
    viewer = Actor(
        kind="person",
        id="per_v",
        grants=frozenset({Grant("project.view", Scope("prj_a"))}),
    )
    with pytest.raises(Forbidden):
        cancel(job.pk, actor=viewer)


def test_a_running_job_is_asked_to_stop_and_does() -> None:
    @handler("t.long")
    def run(job: LeasedJob) -> None:
        assert not job.cancelled()
        cancel(job.id, actor=SYSTEM)
        job._looked = 0
        assert job.cancelled()
        raise Cancelled("stopped between two steps")

    job = enqueue("t.long")
    run_due()
    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.CANCELLED, "stopped between two steps")


def test_a_job_that_fails_after_it_was_cancelled_is_not_tried_again() -> None:
    @handler("t.stubborn")
    def run(job: LeasedJob) -> None:
        cancel(job.id, actor=SYSTEM)
        raise ValueError("killed child")

    job = enqueue("t.stubborn")
    run_due()
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def test_what_ranks_first_is_claimed_first_and_the_rest_in_its_time() -> None:
    seen: list[str] = []

    def run(job: LeasedJob) -> None:
        seen.append(f"{job.kind} {job.args['n']}")

    handler("t.usual")(run)
    handler("t.first", rank=FIRST)(run)
    for n in (1, 2):
        for kind in ("t.usual", "t.first"):
            enqueue(kind, n=n)
    run_due("control", 10)
    assert seen == ["t.first 1", "t.first 2", "t.usual 1", "t.usual 2"]


@pytest.mark.parametrize(("keeps", "left"), [(True, {"rows": [1]}), (False, {})])
@pytest.mark.parametrize("fault", [None, ValueError("no")])
def test_a_job_whose_arguments_are_data_has_them_until_it_ends(
    keeps: bool, left: dict[str, Any], fault: Exception | None
) -> None:
    seen = []

    @handler("t.data", max_attempts=2, keeps_args=keeps)
    def run(job: LeasedJob) -> None:
        seen.append(job.args)
        if fault:
            raise fault

    job = enqueue("t.data", rows=[1])
    run_due()
    due_now(job.pk)
    run_due()
    job.refresh_from_db()
    assert seen == [{"rows": [1]}] * (2 if fault else 1)
    assert (job.state, job.args) == ("failed" if fault else "succeeded", left)


@pytest.mark.parametrize(("keeps", "left"), [(True, {"rows": [1]}), (False, {})])
@pytest.mark.parametrize("way", ["cancelled", "restored"])
def test_arguments_that_are_data_go_though_the_job_never_ran(
    keeps: bool, left: dict[str, Any], way: str
) -> None:
    handler("t.data", keeps_args=keeps)(lambda job: None)
    job, waiting = enqueue("t.data", rows=[1]), enqueue("t.again", rows=[2])
    if way == "cancelled":
        cancel(job.pk, actor=SYSTEM)
    else:
        settle_restored(["t.again"])
    tidy()
    job.refresh_from_db()
    waiting.refresh_from_db()
    assert (job.state, job.args) == ("cancelled", left)
    assert (waiting.state, waiting.args) == ("queued", {"rows": [2]})


def test_of_what_runs_alone_one_job_runs_and_the_rest_goes_on() -> None:
    for kind in ("t.slow", "t.slower"):
        handler(kind, alone=True)(lambda job: None)
    handler("t.other")(lambda job: None)
    slow = [enqueue("t.slow", key="a"), enqueue("t.slow", key="b"), enqueue("t.slower")]
    others = [enqueue("t.other"), enqueue("t.other")]
    assert [claim() for _ in range(4)] == [slow[0], *others, None]
    assert count_ready(None, 9) == 0
    Job.objects.filter(pk=slow[0].pk).update(state=JobState.SUCCEEDED)
    assert count_ready(None, 9) == 2
    assert [claim(), claim()] == [slow[1], None]
    Job.objects.filter(pk=slow[1].pk).update(lease_until=database_now() - timedelta(seconds=1))
    assert [claim(), claim()] == [slow[1], None], "its worker died, and it is taken up again"


@pytest.mark.django_db(transaction=True)
def test_of_two_that_claim_at_once_one_has_what_runs_alone() -> None:
    handler("t.slow", alone=True)(lambda job: None)
    for key in ("a", "b"):
        enqueue("t.slow", key=key)
    with transaction.atomic():
        first = claim()
        assert at_once(claim) == [None], "it does not see yet what was claimed"
    assert first is not None and at_once(claim) == [None]
