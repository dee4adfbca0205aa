"""A second release for an endpoint that is being moved: it waits, or sends the first one back."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.governance import actions as governance
from apps.governance.models import Release
from apps.jobs.models import Job
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.rollouts.rules import STEPPING
from apps.serving.models import Revision
from placet.kernel.clock import database_now
from tests.support.nodes import SimulatedNode, run
from tests.support.world import World

pytestmark = pytest.mark.django_db
RunJobs = Callable[..., int]
CANARY: dict[str, Any] = {"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}]}


@pytest.fixture
def first(world: World, node: SimulatedNode, run_jobs: RunJobs) -> Release:
    """A canary that waits for a person at 5 %."""
    release = world.request("development", plan=CANARY)
    run(node, run_jobs)
    return release


def again(node: SimulatedNode, run_jobs: RunJobs, times: int = 5) -> None:
    """Let starts that wait be asked again, more often than a failing one would be."""
    for _ in range(times):
        Job.objects.filter(kind="rollouts.start", state="queued").update(due_at=database_now())
        run(node, run_jobs, rounds=3)


def state(release: Release) -> str:
    """Return what the release is now."""
    return Release.objects.get(pk=release.pk).state


def test_the_second_waits_however_long_and_starts_when_the_first_is_done(
    world: World, node: SimulatedNode, run_jobs: RunJobs, first: Release
) -> None:
    second = world.request("development")
    again(node, run_jobs)
    assert (state(first), state(second)) == ("rolling_out", "approved")
    assert not Job.objects.filter(state="failed").exists()
    actions.promote(Rollout.objects.get(release=first), reason="well", actor=world.otto)
    again(node, run_jobs)
    assert (state(first), state(second)) == ("superseded", "live")


def test_the_second_sends_the_first_back_if_its_plan_says_so(
    world: World, node: SimulatedNode, run_jobs: RunJobs, first: Release
) -> None:
    second = world.request("development", plan=CANARY | {"when_busy": "supersede"})
    run_jobs("control")
    weights = Revision.objects.order_by("number").values_list("weight", flat=True)
    assert list(weights) == [10_000, 0], "everything is back on what is live first"
    again(node, run_jobs)
    before = Rollout.objects.get(release=first)
    assert (before.state, before.reason) == ("aborted", f"Superseded by release {second.number}")
    assert (state(first), state(second)) == ("failed", "rolling_out")
    assert Rollout.objects.get(release=second).step == 1


def test_an_older_one_sends_no_newer_one_back(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    older = world.request("staging", plan={"when_busy": "supersede"})
    live = world.request("staging")
    world.decide(live, world.rex)
    run(node, run_jobs)
    newer = world.request("staging", plan=CANARY)
    world.decide(newer, world.rex)
    run(node, run_jobs)
    world.decide(older, world.rex)
    again(node, run_jobs)
    assert (state(newer), state(older)) == ("rolling_out", "approved")
    actions.promote(Rollout.objects.get(release=newer), reason="well", actor=world.otto)
    again(node, run_jobs)
    assert (state(newer), state(older)) == ("live", "approved"), "people start it, if anybody"
    assert governance.start_waiting() == 0


def test_a_rollback_is_never_superseded(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    world.request("development")
    run(node, run_jobs)
    endpoint = Revision.objects.latest("number").endpoint
    back = actions.rollback(endpoint, reason="worse", actor=world.otto)
    third = world.request("development", plan={"when_busy": "supersede"})
    run_jobs("control")
    back.refresh_from_db()
    assert (back.state in STEPPING, state(third)) == (True, "approved")
    again(node, run_jobs)
    back.refresh_from_db()
    assert (back.state, state(third)) == ("done", "live")
