"""Releases that go out step by step, over a node that reports what it sees."""

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
from tests.support.nodes import PLATFORM
from tests.support.story import Story, weights

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
CANARY = {
    "strategy": "canary",
    "steps": [
        {"set_weight": 5},
        {"pause": {"duration_seconds": 600}},
        {"set_weight": 33.33},
        {"pause": {}},
    ],
}


def beside() -> list[tuple[Any, int]]:
    """Return the header of testers and the copies of every revision, the oldest first."""
    return list(Revision.objects.order_by("number").values_list("header_route", "mirror"))


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


def test_testers_and_copies_come_with_their_step_and_end_when_it_is_live(story: Story) -> None:
    route = {"header": "X-Try", "value": "v2"}
    steps = [{"set_mirror": {"percent": 12.5}}, {"set_header_route": route}, {"pause": {}}]
    release = story.release("development", plan={"strategy": "shadow", "steps": steps})
    story.settle()

    rollout = story.rollout(release)
    assert (rollout.state, rollout.step, weights()) == ("waiting", 2, [10_000, 0])
    assert beside() == [(None, 0), (route, 1_250)]
    told = list(story.node.revisions().values())[-1]
    assert (told["header_route"], told["mirror"]) == (route, 1_250)
    assert sentences(rollout) == ["started", "copies_set", "testers_led", "waiting_for_person"]

    actions.resume(rollout, step=2, reason="no disagreement", actor=story.otto)
    story.settle()
    assert (story.rollout(release).state, weights()) == ("done", [0, 10_000])
    assert beside() == [(None, 0), (None, 0)]


def test_testers_and_copies_end_with_an_abort(story: Story) -> None:
    release = story.release("development", plan={"strategy": "shadow"})
    story.settle()
    assert beside()[-1] == (None, 1_000)
    actions.abort(story.rollout(release), reason="it disagrees", actor=story.otto)
    story.settle()
    assert beside()[-1] == (None, 0)
    assert weights() == [10_000, 0]


def test_an_agent_that_is_too_old_for_a_plan_is_named(story: Story) -> None:
    story.node.report(platform={**PLATFORM, "features": ["unit"]})
    plan = {"strategy": "shadow", "start": "manual"}
    release = story.release("development", plan=plan)
    with pytest.raises(DoesNotFit, match="cannot copy requests: upgrade it"):
        actions.start_rollout(release, actor=story.otto)


def test_a_canary_goes_up_with_its_plan_and_waits_where_it_says(story: Story) -> None:
    release = story.under_way(CANARY)
    rollout = story.rollout(release)
    assert (rollout.state, rollout.step, weights()) == ("waiting", 1, [9_500, 500])
    story.settle()
    assert story.rollout(release).step == 1
    let_pass(rollout, 600)
    story.settle()
    rollout = story.rollout(release)
    assert (rollout.state, rollout.step, weights()) == ("waiting", 3, [6_667, 3_333])
    let_pass(rollout, 10**6)
    story.settle()
    assert story.rollout(release).step == 3
    actions.resume(rollout, step=3, reason="looks well", actor=story.otto)
    story.settle()
    rollout = story.rollout(release)
    assert (rollout.state, weights()) == ("done", [0, 10_000])
    assert set(rollout.step_times) == {"0", "1", "2", "3", "4"}
    assert sentences(rollout) == [
        "started",
        "weight_set",
        "waiting",
        "weight_set",
        "waiting_for_person",
        "resumed",
        "shifting",
        "draining",
        "done",
    ]


def test_an_open_pause_is_looked_at_by_the_sweep(story: Story) -> None:
    story.under_way(CANARY)
    assert targets_to_look_at() == [story.world.target]


def test_each_weight_waits_until_the_node_applies_it(story: Story) -> None:
    release = story.release("development", plan=CANARY)
    story.run_jobs("control")
    new = story.rollout(release).to_revision_id
    story.node.frozen_weights[new] = 0
    story.settle()
    assert (story.rollout(release).state, story.rollout(release).step) == ("shifting", 0)
    story.node.frozen_weights.clear()
    story.settle()
    assert (story.rollout(release).state, story.rollout(release).step) == ("waiting", 1)


def test_a_node_that_was_away_for_the_whole_pause_is_heard_before_the_next_step(
    story: Story,
) -> None:
    release = story.under_way(CANARY)
    let_pass(story.rollout(release), 3_600)
    row = story.node.row
    row.last_report_at -= timedelta(hours=1)  # type: ignore[operator]
    row.save()
    actions.pause(story.rollout(release), reason="x", actor=story.otto)
    actions.resume(story.rollout(release), step=1, reason="y", actor=story.otto)
    story.run_jobs("control")
    assert story.rollout(release).step == 1
    story.settle()
    assert story.rollout(release).step == 3


def test_blue_green_makes_ready_waits_and_moves_everything_at_once(story: Story) -> None:
    release = story.release("development", plan={"strategy": "blue_green"})
    story.settle()
    rollout = story.rollout(release)
    assert (rollout.state, rollout.step, weights()) == ("waiting", 0, [10_000, 0])
    assert rollout.to_revision.state == "ready"
    assert story.node.revisions()[rollout.to_revision_id]["wanted"] == "run"
    actions.resume(rollout, step=0, reason="tried it", actor=story.otto)
    assert weights() == [0, 10_000]
    story.settle()
    assert story.rollout(release).state == "done"


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
def test_one_that_breaks_at_any_step_gives_all_requests_back_first(
    story: Story, place: int
) -> None:
    release = story.release("development", plan=CANARY)
    story.run_jobs("control")
    rollout = story.rollout(release)
    new = rollout.to_revision_id
    bring_to(place, release, story)
    assert story.rollout(release).step == place
    story.node.phase[new] = ("failed", "killed: out of memory")
    story.node.step()
    story.run_jobs("control")
    assert weights() == [10_000, 0]
    story.settle()
    rollout = story.rollout(release)
    assert (rollout.state, rollout.reason) == ("failed", "It failed: killed: out of memory")
    states = Revision.objects.order_by("number").values_list("state", flat=True)
    assert list(states) == ["live", "failed"]
    assert story.state(release) == "failed"


def bring_to(place: int, release: Release, story: Story) -> None:
    """Take the canary to the step at ``place``, which is not over."""
    new = story.rollout(release).to_revision_id
    for step in range(place + 1):
        if step in (0, 2, 4):
            story.node.frozen_weights[new] = story.rollout(release).to_revision.weight
        else:
            story.node.frozen_weights.clear()
        if step == 2:
            let_pass(story.rollout(release), 600)
        if step == 4:
            actions.resume(story.rollout(release), step=3, reason="on", actor=story.otto)
        story.settle(rounds=3)


def test_a_step_is_entered_once_however_often_it_is_looked_at(story: Story) -> None:
    release = story.release("development", plan=CANARY)
    story.settle(rounds=20)
    rollout = story.rollout(release)
    assert sentences(rollout) == ["started", "weight_set", "waiting"]
    assert rollout.commanded == rollout.generation
