"""An approved release whose start was held up starts by itself when nothing is in its way."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from apps.governance import actions as governance
from apps.governance.models import Release
from apps.jobs.models import Job
from placet.kernel.clock import database_now
from tests.support.nodes import SimulatedNode, run
from tests.support.world import World

pytestmark = pytest.mark.django_db
RunJobs = Callable[..., int]


@pytest.fixture
def node(world: World) -> SimulatedNode:
    """The node of the world's only target."""
    joined = SimulatedNode.joined(world.target)
    joined.report()
    return joined


@pytest.fixture
def held_up(world: World, run_jobs: RunJobs) -> Release:
    """Approved in staging, then frozen before it started, until its start was given up."""
    release = world.request("staging")
    world.decide(release, world.rex)
    governance.set_freeze(world.environment("staging"), reason="Incident", actor=world.vera)
    for _ in range(3):
        Job.objects.filter(kind="rollouts.start").update(due_at=database_now())
        run_jobs("control")
    assert Job.objects.get(kind="rollouts.start").state == "failed"
    assert state(release) == "approved"
    return release


def state(release: Release) -> str:
    """Return what the release is now."""
    release.refresh_from_db()
    return release.state


def later(seconds: int) -> None:
    """Let the starts that ended have ended so many seconds ago."""
    ended = database_now() - timedelta(seconds=seconds)
    Job.objects.filter(kind="rollouts.start", state="failed").update(finished_at=ended)


def lift(world: World, release: Release) -> None:
    """Have Otto lift every freeze."""
    for freeze in release.environment.freezes.filter(lifted_at=None):
        governance.lift_freeze(freeze, actor=world.otto)


def test_a_lifted_freeze_starts_what_was_approved_before_it(
    world: World, node: SimulatedNode, run_jobs: RunJobs, held_up: Release
) -> None:
    later(3600)
    assert governance.start_waiting() == 0
    lift(world, held_up)
    assert governance.start_waiting() == 1
    assert governance.start_waiting() == 0  # it is under way
    run(node, run_jobs)
    assert state(held_up) == "live"
    assert governance.start_waiting() == 0


def test_a_start_that_failed_is_tried_again_later_and_later(
    world: World, node: SimulatedNode, run_jobs: RunJobs, held_up: Release
) -> None:
    lift(world, held_up)
    assert governance.start_waiting() == 0
    later(61)
    assert governance.start_waiting() == 1
    Job.objects.filter(kind="rollouts.start").update(state="failed", finished_at=database_now())
    later(61)
    assert governance.start_waiting() == 0
    later(121)
    assert governance.start_waiting() == 1


def test_an_older_release_does_not_come_back_over_a_newer_one_by_itself(
    world: World, node: SimulatedNode, run_jobs: RunJobs, held_up: Release
) -> None:
    lift(world, held_up)
    newer = world.request("staging")
    world.decide(newer, world.rex)
    run(node, run_jobs)
    assert state(newer) == "live"
    later(3600)
    assert governance.start_waiting() == 0
    assert state(held_up) == "approved"


def test_what_waits_for_an_operator_is_not_started(world: World, node: SimulatedNode) -> None:
    release = world.request("staging", plan={"start": "manual"})
    world.decide(release, world.rex)
    assert state(release) == "approved"
    assert governance.start_waiting() == 0
