"""Two web processes that look for what has soaked at the same moment open one request."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from structlog.testing import capture_logs

from apps.governance import actions
from apps.governance.actions import promoting
from apps.governance.models import Promotion, Release
from apps.jobs.models import Job, JobState
from placet.kernel.keystore import KeyUnavailable
from tests.integration.governance.test_promotion import GATES, ONE, SETTING, SOAK, live_since
from tests.support.meeting import Meeting, at_once
from tests.support.processes import until
from tests.support.world import World
from workers import web_jobs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def due(world: World) -> Release:
    """What has been live in staging for two hours, and is to be asked for in production."""
    world.policy("production", GATES + SOAK + ONE)
    actions.update_environment(world.environment("staging"), promote=SETTING, actor=world.otto)
    return live_since(world, 7200)


def opened() -> int:
    """Return how many releases were asked for in production."""
    return Release.objects.filter(environment__name="production").count()


def test_two_who_look_at_once_open_one_request(
    due: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = Meeting().before(promoting.lock_project)
    monkeypatch.setattr(promoting, "lock_project", met)
    done = at_once(actions.open_promoted, actions.open_promoted)
    assert sorted(map(str, done)) == ["0", "1"]
    assert (opened(), Promotion.objects.count()) == (1, 1)


def test_what_breaks_in_the_middle_leaves_nothing_and_is_done_the_next_time(
    due: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(promoting, "_log", break_down)
        with pytest.raises(ConnectionError):
            actions.open_promoted()
    assert (opened(), Promotion.objects.count()) == (0, 0)
    assert actions.open_promoted() == 1


def test_a_worker_may_not_open_requests(due: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_PROCESS", "control")
    with pytest.raises(KeyUnavailable):
        actions.open_promoted()
    assert opened() == 0


def test_the_thread_of_a_web_process_does_it_and_workers_leave_it_alone(
    due: Release, run_jobs: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_PROCESS", "web")
    monkeypatch.setattr(web_jobs, "LOOK_EVERY", 0.05)
    stopping = threading.Event()
    thread = threading.Thread(target=web_jobs.look_for_ever, args=[stopping])
    thread.start()
    try:
        until(lambda: opened() == 1)
    finally:
        stopping.set()
        thread.join(timeout=30)
    run_jobs("control")
    jobs = Job.objects.filter(kind="governance.promote")
    assert {job.queue for job in jobs} == {"web"}
    assert jobs.filter(state=JobState.SUCCEEDED).exists()
    connection.close()


def test_while_the_database_is_away_the_thread_waits_and_says_so(
    due: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_PROCESS", "web")
    monkeypatch.setattr(web_jobs, "LOOK_EVERY", 0.01)
    away = Mock(side_effect=[OperationalError("refused\nIs it running?")] * 3 + [None])
    monkeypatch.setattr(web_jobs, "ensure_schedules", away)
    stopping = threading.Event()
    monkeypatch.setattr(web_jobs, "look", stopping.set)
    with capture_logs() as said:
        web_jobs.look_for_ever(stopping)
    waits = {"event": "web_jobs_wait", "log_level": "warning", "error": "refused"}
    assert said == [waits] * 3


@pytest.mark.parametrize(("process", "looks"), [("web", True), ("manage", False)])
def test_web_processes_have_such_a_thread_and_know_no_other_work(process: str, looks: bool) -> None:
    asks = (
        "import sys, threading, placet.wsgi\n"
        "named = [thread.name for thread in threading.enumerate()]\n"
        "print('web-jobs' in named, 'workers.tasks' in sys.modules)"
    )
    environment = os.environ | {"PLACET_PROCESS": process, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", asks], env=environment, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [str(looks), "False"]
