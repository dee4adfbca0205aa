"""Whose job comes next of those that run alone: projects take turns, and others do not wait."""

from collections.abc import Iterator

import pytest

from apps.jobs import handlers as registry
from apps.jobs.actions import enqueue
from apps.jobs.actions.lease import claim
from apps.jobs.handlers import handler
from apps.jobs.models import Job, JobState
from placet.kernel.clock import database_now

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_HANDLERS", {})
    for kind in ("t.slow", "t.test"):
        handler(kind, alone=True)(lambda job: None)
    handler("t.other")(lambda job: None)
    yield


def taken(count: int) -> list[Job | None]:
    """Return what is claimed next, each when the one before it has ended."""
    jobs = []
    for _ in range(count):
        jobs.append(job := claim())
        if job is not None:
            ended = {"state": JobState.SUCCEEDED, "finished_at": database_now()}
            Job.objects.filter(pk=job.pk).update(**ended)
    return jobs


def test_one_project_s_many_hold_up_another_s_by_one() -> None:
    many = [enqueue("t.slow", key=str(n), project="prj_a") for n in range(5)]
    others, ours = enqueue("t.slow", key="b", project="prj_b"), enqueue("t.slow", key="i")
    assert taken(4) == [many[0], others, ours, many[1]]
    test, again = enqueue("t.test", key="b", project="prj_b"), enqueue("t.slow", key="i")
    assert taken(6) == [test, again, many[2], many[3], many[4], None]


def test_what_does_not_run_alone_has_its_place_by_time_as_before() -> None:
    first = enqueue("t.slow", key="0", project="prj_a")
    assert taken(1) == [first]
    second, other = enqueue("t.slow", key="1", project="prj_a"), enqueue("t.other")
    late = enqueue("t.slow", key="b", project="prj_b")
    assert taken(3) == [late, second, other]
    other, second = enqueue("t.other"), enqueue("t.slow", key="2", project="prj_a")
    assert taken(2) == [other, second]


def test_one_whose_worker_died_is_taken_up_again() -> None:
    lost = enqueue("t.slow", key="0", project="prj_a")
    assert claim() == lost
    Job.objects.filter(pk=lost.pk).update(lease_until=database_now())
    assert taken(2) == [lost, None]


def test_a_bell_for_one_is_for_whose_turn_it_is() -> None:
    """The sweep rings for all that wait, every two seconds, in an order of its own."""
    many = [enqueue("t.slow", key=str(n), project="prj_a") for n in range(3)]
    ours = enqueue("t.slow", key="b", project="prj_b")
    assert taken(1) == [many[0]]
    assert [claim(job_id=many[1].pk), claim(job_id=many[2].pk)] == [ours, None]
    other = enqueue("t.other")
    assert claim(job_id=other.pk) == other
    assert claim(job_id="job_" + "0" * 32) is None
