"""A worker whose clock steps an hour, forward or back, neither steals a lease nor loses its own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from apps.jobs import handlers as registry
from apps.jobs.actions import enqueue, run_due
from apps.jobs.actions.lease import Heartbeat, claim
from apps.jobs.handlers import LeasedJob, handler
from apps.jobs.models import Job, JobState
from placet.kernel.clock import database_now

pytestmark = pytest.mark.django_db
STEPS = [timedelta(hours=1), timedelta(hours=-1)]


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_HANDLERS", {})
    monkeypatch.setattr(registry, "_TIMETABLES", {})
    yield


@pytest.mark.parametrize("step", STEPS, ids=["forward", "back"])
def test_another_worker_does_not_take_what_is_leased(step: timedelta) -> None:
    handler("t.long")(lambda job: None)
    enqueue("t.long")
    assert claim() is not None
    with time_machine.travel(datetime.now(tz=UTC) + step):
        assert claim() is None


@pytest.mark.parametrize("step", STEPS, ids=["forward", "back"])
def test_the_lease_is_prolonged_by_the_databases_clock(step: timedelta) -> None:
    handler("t.long")(lambda job: None)
    enqueue("t.long")
    job = claim()
    assert job is not None
    leased = LeasedJob(
        id=job.pk,
        kind=job.kind,
        args={},
        project=None,
        generation=job.generation,
        attempt=1,
        max_attempts=1,
    )
    with time_machine.travel(datetime.now(tz=UTC) + step):
        Heartbeat(leased)._prolong()
    job.refresh_from_db()
    assert job.lease_until is not None
    assert timedelta(0) < job.lease_until - database_now() <= timedelta(seconds=20)


@pytest.mark.parametrize("step", STEPS, ids=["forward", "back"])
def test_work_asked_for_under_a_wrong_clock_is_done_at_its_time(step: timedelta) -> None:
    handler("t.soon")(lambda job: None)
    with time_machine.travel(datetime.now(tz=UTC) + step):
        enqueue("t.soon")
        enqueue("t.soon", delay=600)
        assert run_due() == 1
    assert list(Job.objects.order_by("due_at").values_list("state", flat=True)) == [
        JobState.SUCCEEDED,
        JobState.QUEUED,
    ]
