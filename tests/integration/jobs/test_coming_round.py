"""What comes round asks first whether there is any work: what costs a job, and what does not."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from apps.identity.models import Project
from apps.jobs import handlers as registry
from apps.jobs.actions import plan_due, run_due
from apps.jobs.actions.lease import outlook
from apps.jobs.actions.schedule import ensure_schedules
from apps.jobs.handlers import LeasedJob, Rows, every
from apps.jobs.models import Job, JobState, Schedule, ScheduleRun
from placet.kernel.clock import database_now
from tests.support import factories

pytestmark = pytest.mark.django_db
NAME, OTHER = "t.round", "t.other"


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_HANDLERS", {})
    monkeypatch.setattr(registry, "_TIMETABLES", {})
    yield


def projects() -> Rows:
    return [Project.objects.filter(slug="to-do")]


def rounds(name: str = NAME, when: Callable[[], Rows] | None = projects) -> list[str]:
    """Have a kind of work come round every two seconds; return what will have been done."""
    done: list[str] = []

    @every(seconds=2, name=name, when=when)
    def run(job: LeasedJob) -> None:
        if Project.objects.filter(slug="broken").exists():
            raise ValueError("the disk is full")
        done.append(job.id)

    ensure_schedules()
    return done


def come_round() -> int:
    """Let the next time of all schedules come; return how many jobs were planned."""
    Schedule.objects.update(next_at=database_now())
    planned = plan_due(["control"])
    run_due(["control"], 10, heartbeat=False)
    return planned


def next_at() -> datetime:
    return Schedule.objects.get(pk=NAME).next_at


def test_a_time_with_nothing_to_do_costs_no_job_and_has_passed() -> None:
    done = rounds()
    assert come_round() == 1, "nobody knows yet that there is nothing"
    assert come_round() == 0
    assert len(done) == Job.objects.count() == ScheduleRun.objects.count() == 1
    assert timedelta(0) < next_at() - database_now() <= timedelta(seconds=2)


def test_times_missed_are_not_made_up_for_where_there_was_nothing_to_do() -> None:
    rounds()
    come_round()
    Schedule.objects.update(next_at=(begun := database_now() - timedelta(seconds=301)))
    assert plan_due() == 0
    assert next_at() - begun == timedelta(seconds=302)


def test_what_is_to_be_done_is_done_at_its_time() -> None:
    done = rounds()
    come_round()
    factories.project("to-do")
    assert [come_round(), come_round()] == [1, 1]
    assert len(done) == 3


def test_a_run_that_failed_is_followed_by_another_whatever_there_is_to_do() -> None:
    rounds()
    factories.project("broken")
    come_round()
    assert Job.objects.get().state == JobState.FAILED
    Project.objects.filter(slug="broken").update(slug="mended")
    assert [come_round(), come_round()] == [1, 0]
    assert Job.objects.order_by("-due_at")[0].state == JobState.SUCCEEDED


def test_ten_minutes_after_its_last_run_there_is_one_whatever_there_is_to_do() -> None:
    done = rounds()
    come_round()
    for minutes, planned in ((9, 0), (2, 1)):
        ScheduleRun.objects.update(planned_time=F("planned_time") - timedelta(minutes=minutes))
        assert come_round() == planned
    assert len(done) == 2


def test_what_asks_nothing_comes_round_each_time() -> None:
    done = rounds(when=None)
    assert [come_round(), come_round()] == [1, 1]
    assert len(done) == 2


def broken() -> Rows:
    raise OSError("no such file")


def test_who_cannot_say_what_there_is_to_do_does_it_and_stops_nobody_from_resting() -> None:
    done, others = rounds(when=broken), rounds(OTHER)
    assert [come_round(), come_round()] == [2, 1]
    assert (len(done), len(others)) == (2, 1)


@pytest.mark.django_db(transaction=True)
def test_what_the_database_cannot_answer_is_done() -> None:
    done = rounds(when=lambda: [Project.objects.extra(where=["slug = 1 / 0"])])
    come_round()
    assert come_round() == 1
    assert len(done) == 2


def test_a_look_at_nothing_is_one_query_and_a_time_with_nothing_to_do_three_more() -> None:
    rounds(), rounds(OTHER)
    come_round()
    with CaptureQueriesContext(connection) as looked:
        seen = outlook(["control"])
    assert (seen.schedules, seen.jobs, seen.seconds) == (False, False, None)
    Schedule.objects.update(next_at=database_now())
    assert outlook(["control"]).schedules
    with CaptureQueriesContext(connection) as passed:
        plan_due(["control"])
    assert (len(looked), len(passed)) == (1, 3)


def test_a_look_sees_what_is_due_what_was_left_and_what_comes_next() -> None:
    rounds(when=None)
    Schedule.objects.update(next_at=database_now() - timedelta(seconds=1))
    plan_due()
    assert outlook(["control"]).jobs
    assert not outlook(["build"]).jobs
    Job.objects.update(due_at=database_now() + timedelta(seconds=60))
    seen = outlook(["control"])
    assert not seen.jobs
    assert seen.seconds is not None
    assert 50 < seen.seconds <= 60
    Job.objects.update(state="running", lease_until=database_now() - timedelta(seconds=1))
    assert outlook(["control"]).jobs
