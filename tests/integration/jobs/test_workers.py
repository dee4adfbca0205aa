"""Real workers and a real broker: nothing is lost, whatever dies."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu import pools
from redis import Redis
from structlog.testing import capture_logs

from apps.audit.models import Event
from apps.identity.models import Project
from apps.jobs.actions import enqueue
from apps.jobs.models import Job, JobState, Schedule, ScheduleRun
from placet.celery import app
from placet.kernel.enqueue import ring_bell
from tests.integration.jobs.conftest import Valkey, Worker, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.serial]
Start = Callable[..., Worker]


def done(job: Job) -> bool:
    job.refresh_from_db()
    return job.state == JobState.SUCCEEDED


def test_a_ring_makes_the_worker_look_and_forged_rings_are_harmless(
    start_worker: Start, valkey: Valkey
) -> None:
    worker = start_worker()
    with app.connection_for_write(valkey.url) as connection:
        for forged in ("job_" + "f" * 32, "'; --", 7, None, {"a": [1]}):
            app.send_task("jobs.look", args=[forged], queue="control", connection=connection)
        app.send_task("no.such.task", args=[1], queue="control", connection=connection)
        job = enqueue("t.make", slug="rung")
        for _ in range(3):
            app.send_task("jobs.look", args=[job.pk], queue="control", connection=connection)
    until(lambda: done(job))
    time.sleep(0.5)
    assert worker.process.poll() is None
    assert Project.objects.count() == 1
    job.refresh_from_db()
    assert job.attempts == 1


NO_MESSAGES = [
    b"\xff not a message",
    b"",
    b"[]",
    b"{}",
    b'{"properties": 7}',
    b'{"properties": {}}',
    b'{"properties": {"delivery_tag": "t", "body_encoding": "base64"}, "body": "%"}',
    json.dumps(
        {
            "body": "W10=",
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"task": "jobs.look", "id": "1", "eta": "never", "expires": {}},
            "properties": {"delivery_tag": "u", "body_encoding": "base64", "delivery_info": {}},
        }
    ).encode(),
]


def test_what_is_no_message_does_not_end_a_worker_and_leaves_it_its_ears(
    start_worker: Start, valkey: Valkey
) -> None:
    worker = start_worker()
    with Redis(unix_socket_path=str(valkey.socket)) as client:
        for _ in range(3):
            client.lpush("control", *NO_MESSAGES)
        until(lambda: client.llen("control") == 0, what="the end of the queue")
        with app.connection_for_write(valkey.url) as connection:
            for number in range(5):
                app.send_task(
                    "jobs.look", args=[f"job_{number}"], queue="control", connection=connection
                )
        until(lambda: client.llen("control") == 0, what="the end of the queue")
    until(lambda: worker.log.read_text().count("jobs.look") >= 10, what="five looks")
    assert worker.process.poll() is None
    assert "not_a_message" in worker.log.read_text()


def test_a_lost_message_and_an_emptied_broker_lose_no_work(
    start_worker: Start, valkey: Valkey
) -> None:
    jobs = [enqueue("t.chain", slug=f"lost-{n}") for n in range(10)]
    start_worker()
    for _ in range(5):
        valkey.command("FLUSHALL")
        time.sleep(0.1)
    until(lambda: all(done(job) for job in jobs))
    until(lambda: Project.objects.count() == 10)


def test_a_worker_works_on_while_the_broker_is_dead(start_worker: Start, valkey: Valkey) -> None:
    worker = start_worker()
    valkey.process.kill()
    valkey.process.wait()
    job = enqueue("t.make", slug="no-broker")
    until(lambda: done(job))
    seen = worker.alive_since()
    until(lambda: worker.alive_since() > seen, 5, "another look")


@pytest.mark.parametrize("point", ["test.before_write", "test.after_write"])
def test_another_worker_finishes_what_a_killed_one_left(
    start_worker: Start, tmp_path: Path, point: str
) -> None:
    armed = tmp_path / point
    armed.touch()
    first = start_worker(PLACET_CRASH_FOLDER=str(tmp_path))
    job = enqueue("t.make", slug="survivor")
    until(lambda: first.process.poll() is not None, what="the crash")
    assert not armed.exists()
    start_worker()
    until(lambda: done(job))
    assert (job.attempts, job.losses, job.generation) == (2, 1, 2)
    assert Project.objects.count() == Event.objects.count() == 1


def test_a_worker_that_slept_through_its_lease_writes_nothing(
    start_worker: Start, tmp_path: Path
) -> None:
    sleeper = start_worker()
    job = enqueue("t.wait", slug="fenced", folder=str(tmp_path))
    until((tmp_path / "started-1").exists)
    sleeper.signal(signal.SIGSTOP)
    other = start_worker()
    until((tmp_path / "started-2").exists, what="the second claim")
    (tmp_path / "go").touch()
    until(lambda: done(job))
    sleeper.signal(signal.SIGCONT)
    until(lambda: "job_lease_lost" in sleeper.log.read_text(), what="the sleeper's notice")
    assert Project.objects.get().name == str(other.process.pid)
    assert Event.objects.count() == 1
    job.refresh_from_db()
    assert (job.state, job.generation) == (JobState.SUCCEEDED, 2)


def test_a_long_job_keeps_its_lease(start_worker: Start, tmp_path: Path) -> None:
    start_worker()
    start_worker()
    job = enqueue("t.wait", slug="long", folder=str(tmp_path))
    until((tmp_path / "started-1").exists)
    time.sleep(4)  # twice the lease
    (tmp_path / "go").touch()
    until(lambda: done(job))
    assert (job.attempts, job.losses) == (1, 0)


@pytest.mark.parametrize("program", [True, False], ids=["program", "forked"])
def test_a_worker_stops_when_asked_to(start_worker: Start, program: bool) -> None:
    worker = start_worker(program=program)
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(15) == 0


def test_the_request_id_reaches_the_workers_log(start_worker: Start) -> None:
    import structlog

    worker = start_worker()
    with structlog.contextvars.bound_contextvars(request_id="req-4711"):
        job = enqueue("t.make", slug="traced")
    until(lambda: done(job))
    until(lambda: "job_succeeded" in worker.log.read_text())
    lines = [json.loads(x) for x in worker.log.read_text().splitlines() if x.startswith("{")]
    ended = [x for x in lines if x["event"] == "job_succeeded" and x["job_id"] == job.pk]
    assert [x["request_id"] for x in ended] == ["req-4711"]
    body = json.loads(Event.objects.get().body)
    assert body["cause"] == {"request": "req-4711", "job": job.pk}


def test_two_workers_plan_each_time_of_a_schedule_once(start_worker: Start) -> None:
    start_worker()
    start_worker()
    until(lambda: Schedule.objects.filter(name="jobs.tidy").exists())
    until(lambda: Job.objects.filter(kind="jobs.tidy", state=JobState.SUCCEEDED).exists())
    assert ScheduleRun.objects.filter(schedule="jobs.tidy").count() == 1
    assert Job.objects.filter(kind="jobs.tidy").count() == 1


@pytest.fixture
def broker_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's broker is a socket that nobody listens on."""
    from placet.kernel import enqueue as doorbell

    monkeypatch.setattr(doorbell, "_silent_until", 0.0)
    monkeypatch.setattr(app.conf, "broker_write_url", f"redis+socket://{tmp_path}/none.sock")
    monkeypatch.setattr(app, "_pool", None)
    pools.reset()
    yield
    pools.reset()


@pytest.mark.usefixtures("broker_of_nobody")
def test_ringing_a_dead_broker_fails_nobody_and_takes_no_time() -> None:
    begun = time.monotonic()
    job = enqueue("t.unheard")
    assert time.monotonic() - begun < 2
    assert Job.objects.get(pk=job.pk).state == JobState.QUEUED
    with capture_logs() as logged:
        for _ in range(50):
            ring_bell(job.pk, "control")
    assert logged == [], "it was not asked again for a while"
