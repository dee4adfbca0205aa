"""A worker is killed in the middle of a rollout: the next one finishes it, and nothing twice."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from apps.audit.models import Event
from apps.governance.models import Release
from apps.jobs.actions import enqueue
from apps.jobs.models import Job
from apps.rollouts.actions import schedule_drills
from apps.rollouts.models import Drill, DrillSchedule, Rollout
from apps.serving.models import Endpoint, Revision, Target
from placet.kernel.clock import now, rfc3339
from tests.crashes.points import around
from tests.integration.jobs.conftest import database_url
from tests.support.nodes import SimulatedNode
from tests.support.scaled import scaled
from tests.support.story import Story

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.serial]
Killed = Callable[[str, Callable[[], object]], None]
ROOT = Path(__file__).resolve().parents[3]
# Importing everything takes longer than the work: one process does it once and forks the workers.
FORK = """
import os, sys
import django; django.setup()
import workers.tasks
from apps.jobs.actions import run_due
for folder in sys.stdin:
    worker = os.fork()
    if not worker:
        os.environ["PLACET_CRASH_FOLDER"] = folder.rstrip()
        run_due("control", 100, heartbeat=False)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), flush=True)
"""
POINTS = (
    "rollouts.before_start_commit",
    "rollouts.after_start_commit",
    "rollouts.before_command",
    "serving.before_state_commit",
    "serving.after_state_commit",
    "rollouts.after_command",
    "rollouts.before_store",
    "rollouts.after_store",
)
STEP_POINTS = around("rollout.weight_set", "rollout.waiting")
DRILL_POINTS = around(
    "drill.started", "rollout.shifting", "rollout.returning", "rollout.done", "drill.finished"
)
SKIP_POINTS = around("drill.skipped")
GROWING_POINTS = around("rollout.scaling_up")
ANALYSIS_POINTS = around("rollout.analysing", "rollout.analysed")


@pytest.fixture
def story(story: Story) -> Story:
    """What was to be done at first is done, so that nobody dies of that."""
    story.once("what was to be done at first", lambda: story.settle(rounds=1))
    return story


@pytest.fixture(scope="module")
def fork(django_db_setup: None) -> Iterator[subprocess.Popen[str]]:
    """The process that forks a worker for each folder of crash points that it reads."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "placet.settings",
        "PLACET_DATABASE_URL": database_url(),
    }
    with subprocess.Popen(
        [sys.executable, "-c", FORK],
        env=environment,
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        yield process
        process.communicate()  # nothing more to read ends it
    assert process.returncode == 0


@pytest.fixture
def killed(fork: subprocess.Popen[str], tmp_path: Path) -> Killed:
    """Have workers work until one is killed at a point, with ``between`` after each other one."""

    def until_killed(point: str, between: Callable[[], object]) -> None:
        armed = tmp_path / point
        armed.touch()
        assert fork.stdin and fork.stdout
        for _ in range(8):
            print(tmp_path, file=fork.stdin, flush=True)
            if (ended := int(fork.stdout.readline())) == -9:
                break
            assert ended == 0
            between()
        assert not armed.exists(), "the worker never came to this point"

    return until_killed


def let_leases_run_out() -> None:
    """What a quarter of a minute would do."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET lease_until = now() WHERE state = 'running'")
        cursor.execute("UPDATE rollouts_rollout SET claimed_until = now() WHERE claimed >= 0")
        cursor.execute("UPDATE jobs_job SET due_at = now() WHERE state = 'queued'")


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_worker_loses_nothing_and_does_nothing_twice(
    story: Story, killed: Killed, point: str
) -> None:
    release = story.release("development")
    killed(point, story.node.step)
    for _ in range(4):
        let_leases_run_out()
        story.settle(rounds=2)
    assert Release.objects.get(pk=release.pk).state == "live"
    rollout = Rollout.objects.get()
    assert (rollout.state, rollout.commanded) == ("done", rollout.generation)
    kinds = Event.objects.filter(subject=rollout.pk).order_by("index")
    assert list(kinds.values_list("kind", flat=True)) == [
        "rollout.started.v1",
        "rollout.shifting.v1",
        "rollout.draining.v1",
        "rollout.done.v1",
    ]
    assert list(Revision.objects.values_list("state", "weight")) == [("live", 10_000)]
    assert Endpoint.objects.count() == 1
    assert not Job.objects.filter(state="failed").exists()


@pytest.mark.parametrize("point", STEP_POINTS)
def test_a_worker_killed_at_a_step_enters_it_once(story: Story, killed: Killed, point: str) -> None:
    story.lived()
    steps = [{"set_weight": 5}, {"pause": {"duration_seconds": 86_400}}]
    release = story.release("development", plan={"strategy": "canary", "steps": steps})
    killed(point, story.node.step)
    for _ in range(4):
        let_leases_run_out()
        story.settle(rounds=2)
    rollout = story.rollout(release)
    assert (rollout.state, rollout.step) == ("waiting", 1)
    assert rollout.commanded == rollout.generation
    kinds = Event.objects.filter(subject=rollout.pk).order_by("index")
    assert list(kinds.values_list("kind", flat=True)) == [
        "rollout.started.v1",
        "rollout.weight_set.v1",
        "rollout.waiting.v1",
    ]
    weights = Revision.objects.order_by("number").values_list("weight", flat=True)
    assert list(weights) == [9_500, 500]


@pytest.mark.parametrize("point", GROWING_POINTS)
def test_a_worker_killed_as_replicas_are_raised_raises_them_once(
    story: Story, killed: Killed, point: str
) -> None:
    story.lived()
    live = Revision.objects.get()
    Target.objects.update(capacity_mb=1 << 16)
    story.node.ready[live.pk] = 4
    release = story.release("development")

    def go_on() -> None:
        if Revision.objects.filter(number=2, state="starting").exists():
            scaled(story, 2)
        story.node.step()

    killed(point, go_on)
    for _ in range(4):
        let_leases_run_out()
        story.settle(rounds=2)
    rollout = story.rollout(release)
    assert (rollout.state, rollout.commanded) == ("done", rollout.generation)
    kinds = Event.objects.filter(subject=rollout.pk).order_by("index")
    assert list(kinds.values_list("kind", flat=True)) == [
        "rollout.started.v1",
        "rollout.scaling_up.v1",
        "rollout.shifting.v1",
        "rollout.draining.v1",
        "rollout.done.v1",
    ]
    assert Revision.objects.get(number=2).replicas == 4


@pytest.mark.parametrize("point", ANALYSIS_POINTS)
def test_a_worker_killed_at_an_analysis_judges_it_once(
    story: Story, killed: Killed, point: str
) -> None:
    story.lived()
    analysis = {"metrics": [{"metric": "error_rate", "margin": 0.01}]}
    steps = [{"set_weight": 5}, {"analysis": analysis}, {"pause": {}}]
    release = story.release("development", plan={"strategy": "canary", "steps": steps})
    killed(point, lambda: measure(story.node, release))
    for _ in range(6):
        let_leases_run_out()
        measure(story.node, release)
        story.settle(rounds=2)
    rollout = story.rollout(release)
    assert (rollout.state, rollout.step) == ("waiting", 2)
    kinds = Event.objects.filter(subject=rollout.pk).order_by("index")
    assert list(kinds.values_list("kind", flat=True)) == [
        "rollout.started.v1",
        "rollout.weight_set.v1",
        "rollout.analysing.v1",
        "rollout.analysed.v1",
        "rollout.waiting_for_person.v1",
    ]


@pytest.fixture
def twice(story: Story) -> Endpoint:
    """An endpoint whose second release is live, and whose drills come round."""
    for _ in range(2):
        story.lived()
    endpoint = Endpoint.objects.get()
    schedule_drills(endpoint, every_days=7, hour=3, actor=story.otto)
    return endpoint


def drill_on(node: SimulatedNode) -> None:
    """Let the sweep come round, half a minute after a drill's way back, and the node follow."""
    ended = Rollout.objects.filter(kind="drill").exclude(finished_at=None)
    ended.update(finished_at=now() - timedelta(seconds=30))
    enqueue("rollouts.drills", key="rollouts.drills")
    node.step()


@pytest.mark.parametrize("point", DRILL_POINTS)
def test_a_worker_killed_in_a_drill_gives_everything_back_once(
    twice: Endpoint, story: Story, killed: Killed, point: str
) -> None:
    DrillSchedule.objects.update(next_at=now())
    killed(point, lambda: drill_on(story.node))
    for _ in range(5):
        let_leases_run_out()
        drill_on(story.node)
        story.settle(rounds=2)
    drill = Drill.objects.get()
    assert (drill.state, drill.reason) == ("passed", "")
    assert DrillSchedule.objects.get().next_at > now()
    assert drill.rollout is not None
    assert (drill.rollout.state, drill.rollout.commanded) == ("done", drill.rollout.generation)
    kinds = Event.objects.filter(subject__in=(drill.pk, drill.rollout.pk)).order_by("index")
    assert list(kinds.values_list("kind", flat=True)) == [
        "drill.started.v1",
        "rollout.shifting.v1",
        "rollout.returning.v1",
        "rollout.done.v1",
        "drill.finished.v1",
    ]
    rows = Revision.objects.order_by("number").values_list("state", "weight")
    assert list(rows) == [("warm", 0), ("live", 10_000)]
    assert not Job.objects.filter(state="failed").exists()


@pytest.mark.parametrize("point", SKIP_POINTS)
def test_a_worker_killed_while_it_skips_a_drill_skips_it_once(
    twice: Endpoint, story: Story, killed: Killed, point: str
) -> None:
    DrillSchedule.objects.update(next_at=now() - timedelta(days=5))
    killed(point, lambda: drill_on(story.node))
    for _ in range(2):
        let_leases_run_out()
        drill_on(story.node)
        story.settle(rounds=1)
    drill = Drill.objects.get()
    assert (drill.state, drill.rollout) == ("skipped", None)
    kinds = Event.objects.filter(subject=drill.pk).values_list("kind", flat=True)
    assert list(kinds) == ["drill.skipped.v1"]
    assert DrillSchedule.objects.get().next_at > now()


def measure(node: SimulatedNode, release: Release) -> None:
    """Have the node report, and count many good requests while there is an analysis."""
    rollout = Rollout.objects.filter(release=release, state="analysing").first()
    if rollout is not None:
        node.metrics = [
            {
                "revision": revision,
                "started_at": rfc3339(now()),
                "seconds": 0.001,
                "status_2xx": count,
                "status_3xx": 0,
                "status_4xx": 0,
                "status_5xx": 0,
                "latency": {"100": count, "inf": 0},
            }
            for revision, count in (
                (rollout.to_revision_id, 5_000),
                (rollout.from_revision_id, 95_000),
            )
        ]
    node.step()
    node.metrics = []
