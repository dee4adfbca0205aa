"""Releases that go out step by step, over a node that reports what it sees."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from apps.audit.models import Event
from apps.governance.models import Release
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.rollouts.queries import targets_to_look_at
from apps.serving.errors import DoesNotFit
from apps.serving.models import Revision
from tests.support.nodes import PLATFORM, SimulatedNode, run
from tests.support.world import World

pytestmark = pytest.mark.django_db
RunJobs = Callable[..., int]
CANARY = {
    "strategy": "canary",
    "steps": [
        {"set_weight": 5}, {"pause": {"duration_seconds": 600}},
        {"set_weight": 33.33}, {"pause": {}},
    ],
}  # fmt: skip


def weights() -> list[int]:
    """Return the weight of every revision, the oldest first."""
    return list(Revision.objects.order_by("number").values_list("weight", flat=True))


def beside() -> list[tuple[Any, int]]:
    """Return the header of testers and the copies of every revision, the oldest first."""
    return list(Revision.objects.order_by("number").values_list("header_route", "mirror"))


def going_out(release: Release) -> Rollout:
    """Return the rollout of ``release`` as it stands."""
    return Rollout.objects.get(release=release)


def let_pass(rollout: Rollout, seconds: int) -> None:
    """Have the present state been entered so much earlier."""
    row = Rollout.objects.get(pk=rollout.pk)
    since = row.created_at - timedelta(seconds=seconds)
    row.phase_times[row.state] = since.isoformat()
    Rollout.objects.filter(pk=row.pk).update(phase_times=row.phase_times)


def sentences(rollout: Rollout) -> list[str]:
    """Return the kinds of its events, in order."""
    kinds = Event.objects.filter(subject=rollout.pk).order_by("index")
    return [k.split(".")[1] for k in kinds.values_list("kind", flat=True)]


def test_testers_and_copies_come_with_their_step_and_end_when_it_is_live(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    route = {"header": "X-Try", "value": "v2"}
    steps = [{"set_mirror": {"percent": 12.5}}, {"set_header_route": route}, {"pause": {}}]
    release = world.request("development", plan={"strategy": "shadow", "steps": steps})
    run(node, run_jobs)

    rollout = going_out(release)
    assert (rollout.state, rollout.step, weights()) == ("waiting", 2, [10_000, 0])
    assert beside() == [(None, 0), (route, 1_250)]
    told = list(node.revisions().values())[-1]
    assert (told["header_route"], told["mirror"]) == (route, 1_250)
    assert sentences(rollout) == ["started", "copies_set", "testers_led", "waiting_for_person"]

    actions.resume(rollout, step=2, reason="no disagreement", actor=world.otto)
    run(node, run_jobs)
    assert (going_out(release).state, weights()) == ("done", [0, 10_000])
    assert beside() == [(None, 0), (None, 0)]


def test_testers_and_copies_end_with_an_abort(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    release = world.request("development", plan={"strategy": "shadow"})
    run(node, run_jobs)
    assert beside()[-1] == (None, 1_000)
    actions.abort(going_out(release), reason="it disagrees", actor=world.otto)
    run(node, run_jobs)
    assert beside()[-1] == (None, 0)
    assert weights() == [10_000, 0]


def test_an_agent_that_is_too_old_for_a_plan_is_named(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    node.report(platform={**PLATFORM, "features": ["unit"]})
    plan = {"strategy": "shadow", "start": "manual"}
    release = world.request("development", plan=plan)
    with pytest.raises(DoesNotFit, match="cannot copy requests: upgrade it"):
        actions.start_rollout(release, actor=world.otto)


def test_a_canary_goes_up_with_its_plan_and_waits_where_it_says(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    release = world.request("development", plan=CANARY)
    run(node, run_jobs)
    rollout = going_out(release)
    assert (rollout.state, rollout.step, weights()) == ("waiting", 1, [9_500, 500])
    run(node, run_jobs)
    assert going_out(release).step == 1
    let_pass(rollout, 600)
    run(node, run_jobs)
    rollout = going_out(release)
    assert (rollout.state, rollout.step, weights()) == ("waiting", 3, [6_667, 3_333])
    let_pass(rollout, 10**6)
    run(node, run_jobs)
    assert going_out(release).step == 3
    actions.resume(rollout, step=3, reason="looks well", actor=world.otto)
    run(node, run_jobs)
    rollout = going_out(release)
    assert (rollout.state, weights()) == ("done", [0, 10_000])
    assert set(rollout.step_times) == {"0", "1", "2", "3", "4"}
    assert sentences(rollout) == [
        "started", "weight_set", "waiting", "weight_set", "waiting_for_person", "resumed",
        "shifting", "draining", "done",
    ]  # fmt: skip


def test_an_open_pause_is_looked_at_by_the_sweep(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    world.request("development", plan=CANARY)
    run(node, run_jobs)
    assert targets_to_look_at() == [world.target]


def test_each_weight_waits_until_the_node_applies_it(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    release = world.request("development", plan=CANARY)
    run_jobs("control")
    new = going_out(release).to_revision_id
    node.frozen_weights[new] = 0
    run(node, run_jobs)
    assert (going_out(release).state, going_out(release).step) == ("shifting", 0)
    node.frozen_weights.clear()
    run(node, run_jobs)
    assert (going_out(release).state, going_out(release).step) == ("waiting", 1)


def test_a_node_that_was_away_for_the_whole_pause_is_heard_before_the_next_step(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    release = world.request("development", plan=CANARY)
    run(node, run_jobs)
    let_pass(going_out(release), 3_600)
    row = node.row
    row.last_seen_at -= timedelta(hours=1)  # type: ignore[operator]
    row.save()
    actions.pause(going_out(release), reason="x", actor=world.otto)
    actions.resume(going_out(release), step=1, reason="y", actor=world.otto)
    run_jobs("control")
    assert going_out(release).step == 1
    run(node, run_jobs)
    assert going_out(release).step == 3


def test_blue_green_makes_ready_waits_and_moves_everything_at_once(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    release = world.request("development", plan={"strategy": "blue_green"})
    run(node, run_jobs)
    rollout = going_out(release)
    assert (rollout.state, rollout.step, weights()) == ("waiting", 0, [10_000, 0])
    assert rollout.to_revision.state == "ready"
    assert node.revisions()[rollout.to_revision_id]["wanted"] == "run"
    actions.resume(rollout, step=0, reason="tried it", actor=world.otto)
    assert weights() == [0, 10_000]
    run(node, run_jobs)
    assert going_out(release).state == "done"


def test_where_nothing_is_live_the_steps_are_skipped_and_it_says_so(
    world: World, run_jobs: RunJobs
) -> None:
    node = SimulatedNode.joined(world.target)
    node.report()
    release = world.request("development", plan=CANARY)
    run(node, run_jobs)
    rollout = going_out(release)
    assert (rollout.state, weights()) == ("done", [10_000])
    assert rollout.reason == "Nothing was live here: the steps of the plan were skipped"


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
def test_one_that_breaks_at_any_step_gives_all_requests_back_first(
    world: World, node: SimulatedNode, run_jobs: RunJobs, place: int
) -> None:
    release = world.request("development", plan=CANARY)
    run_jobs("control")
    rollout = going_out(release)
    new = rollout.to_revision_id
    bring_to(place, release, world, node, run_jobs)
    assert going_out(release).step == place
    node.phase[new] = ("failed", "killed: out of memory")
    node.step()
    run_jobs("control")
    assert weights() == [10_000, 0]
    run(node, run_jobs)
    rollout = going_out(release)
    assert (rollout.state, rollout.reason) == ("failed", "It failed: killed: out of memory")
    states = Revision.objects.order_by("number").values_list("state", flat=True)
    assert list(states) == ["live", "failed"]
    release.refresh_from_db()
    assert release.state == "failed"


def bring_to(
    place: int, release: Release, world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    """Take the canary to the step at ``place``, which is not over."""
    new = going_out(release).to_revision_id
    for step in range(place + 1):
        if step in (0, 2, 4):
            node.frozen_weights[new] = going_out(release).to_revision.weight
        else:
            node.frozen_weights.clear()
        if step == 2:
            let_pass(going_out(release), 600)
        if step == 4:
            actions.resume(going_out(release), step=3, reason="on", actor=world.otto)
        run(node, run_jobs, rounds=3)


def test_a_step_is_entered_once_however_often_it_is_looked_at(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    release = world.request("development", plan=CANARY)
    run(node, run_jobs, rounds=20)
    rollout = going_out(release)
    assert sentences(rollout) == ["started", "weight_set", "waiting"]
    assert rollout.commanded == rollout.generation
