"""Guards from the plan to the node and back: what a node took back, the platform takes back too."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from apps.audit.models import Event
from apps.governance.actions import set_freeze
from apps.jobs.actions import enqueue
from apps.jobs.models import Job
from apps.monitoring import reconciler as monitoring
from apps.monitoring.models import Alert
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.serving.errors import DoesNotFit
from apps.serving.models import Revision
from placet.kernel.clock import database_now, now, rfc3339
from placet.kernel.problems import InvalidInput
from tests.support.factories import api, browser
from tests.support.nodes import PLATFORM, SimulatedNode
from tests.support.story import Story, weights
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
GUARD = {"consecutive_failures": 5}
PLAN = {
    "strategy": "canary",
    "steps": [{"set_weight": 5}, {"pause": {}}, {"set_weight": 50}, {"pause": {}}],
    "guard": GUARD,
}
WHY = "5 answers in a row were server errors"
REASON = f"The node gave all requests back to the old revision by itself: {WHY}"


@pytest.fixture
def canary(story: Story) -> Rollout:
    """A canary that waits for a person at 5%."""
    rollout = story.rollout(story.under_way(PLAN))
    assert (rollout.state, rollout.step) == ("waiting", 1)
    return rollout


def take_back(node: SimulatedNode, name: str, **changes: Any) -> dict[str, Any]:
    """Have the node give everything to the old revision by itself."""
    row = {
        "endpoint": "end_x",
        "revision": name,
        "stable": "rev_x",
        "rule": "consecutive_failures",
        "detail": WHY,
        "at": rfc3339(now()),
        "state": {"epoch": node.epoch, "number": node.applied},
    }
    node.aborts = [row | changes]
    node.frozen_weights[name] = 0
    return node.aborts[0]


def state_of(rollout: Rollout) -> str:
    """Return the state as it is now."""
    rollout.refresh_from_db()
    return rollout.state


def test_the_guard_goes_with_the_state_until_the_revision_is_live(
    canary: Rollout, story: Story
) -> None:
    old, new = story.node.revisions().values()
    assert (old["guard"], new["guard"]) == (None, GUARD)
    actions.promote(canary, step=canary.step, reason="it is well", actor=story.otto)
    story.settle()
    assert state_of(canary) == "done"
    assert [r["guard"] for r in story.node.revisions().values()] == [None, None]


def test_an_abort_of_the_node_ends_a_rollout_that_waits_for_a_person(
    canary: Rollout, story: Story
) -> None:
    take_back(story.node, canary.to_revision_id)
    story.settle()
    assert (state_of(canary), canary.reason) == ("failed", REASON)
    assert weights() == [10_000, 0]
    canary.release.refresh_from_db()
    assert canary.release.state == "failed"


def test_it_ends_one_that_somebody_holds_during_a_freeze(canary: Rollout, story: Story) -> None:
    actions.pause(canary, reason="lunch", actor=story.otto)
    set_freeze(story.world.environment("development"), reason="the fair", actor=story.vera)
    take_back(story.node, canary.to_revision_id)
    story.settle()
    assert state_of(canary) == "failed"
    assert weights() == [10_000, 0]


def test_it_is_in_the_log_from_the_report_on_once(canary: Rollout, story: Story) -> None:
    told = take_back(story.node, canary.to_revision_id)
    story.node.step()  # no worker has seen it yet
    story.node.step()
    (event,) = Event.objects.filter(kind__startswith="revision.requests_taken_back")
    body = json.loads(event.body)
    assert (event.subject, body["actor"]["id"]) == (canary.to_revision_id, story.node.id)
    assert body["data"] == {
        "node": story.node.id,
        "rule": "consecutive_failures",
        "state": told["state"],
    }
    assert WHY not in event.body  # words are no part of what is hashed
    story.settle()
    assert Event.objects.filter(kind__startswith="revision.requests_taken_back").count() == 1


def test_what_went_live_before_the_abort_was_heard_of_is_rolled_back(
    canary: Rollout, story: Story
) -> None:
    actions.promote(canary, step=canary.step, reason="it is well", actor=story.otto)
    story.settle()
    assert state_of(canary) == "done"
    take_back(story.node, canary.to_revision_id)
    story.settle()
    back = Rollout.objects.get(kind="rollback")
    assert (back.state, back.reason, back.to_revision_id) == (
        "done",
        REASON,
        canary.from_revision_id,
    )
    canary.release.refresh_from_db()
    assert canary.release.state == "rolled_back"
    story.settle()
    assert Rollout.objects.filter(kind="rollback").count() == 1


def test_another_rollout_is_not_stopped_by_an_old_abort(canary: Rollout, story: Story) -> None:
    take_back(story.node, canary.to_revision_id)
    story.settle()
    again = actions.retry(canary, reason="it was the database", actor=story.otto)
    story.settle()
    assert state_of(again) == "waiting"


@pytest.mark.parametrize(
    "abort",
    [
        {"rule": "it felt wrong"},
        {"state": {"epoch": -1, "number": 1}},
        {"state": None},
        {"revision": 7},
        {"detail": ["x"]},
    ],
)
def test_a_garbled_abort_is_refused_with_the_report(
    canary: Rollout, node: SimulatedNode, abort: dict[str, Any]
) -> None:
    take_back(node, canary.to_revision_id, **abort)
    answer = node.report()
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"].startswith("/aborts/0/")


def test_an_abort_of_what_is_not_on_this_target_changes_and_logs_nothing(
    canary: Rollout, story: Story
) -> None:
    take_back(story.node, "rev_of_another_target")
    story.settle()
    assert state_of(canary) == "waiting"
    assert not Event.objects.filter(kind__startswith="revision.requests_taken_back").exists()


def test_an_agent_that_is_too_old_for_a_guard_is_named(story: Story) -> None:
    former = ["unit", "header_route", "mirror", "apart"]
    story.node.report(platform={**PLATFORM, "features": former})
    release = story.release("development", plan={**PLAN, "start": "manual"})
    with pytest.raises(DoesNotFit, match="cannot apply the guard of the plan: upgrade it"):
        actions.start_rollout(release, actor=story.otto)
    bare = story.release("development", plan={**PLAN, "start": "manual", "guard": {}})
    assert actions.start_rollout(bare, actor=story.otto).guard == {}


def test_a_guard_that_is_none_is_refused_by_its_field(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.request("development", plan={**PLAN, "guard": {"error_rate": {"at_most": 2}}})
    assert [e.pointer for e in refused.value.errors] == ["/plan/guard/error_rate/at_most"]


def test_page_and_api_say_the_guard_and_what_it_did(canary: Rollout, story: Story) -> None:
    page = browser(story.people["Otto"]).get(f"/rollouts/{canary.pk}/").content.decode()
    assert "the node rolls back after 5 server errors in a row" in page
    take_back(story.node, canary.to_revision_id)
    story.settle()
    answer = api(story.people["Otto"]).get(f"/api/v1/rollouts/{canary.pk}").json()
    assert (answer["guard"], answer["state"], answer["reason"]) == (GUARD, "failed", REASON)
    assert REASON in browser(story.people["Otto"]).get(f"/rollouts/{canary.pk}/").content.decode()


# --- stable dies --------------------------------------------------------------------------------


def alerts() -> list[tuple[str, str]]:
    """Return kind and state of the alerts about stable."""
    found = Alert.objects.filter(kind="stable_down").order_by("opened_at")
    return list(found.values_list("kind", "state"))


def test_an_alert_says_that_stable_is_down_and_who_answers_until_it_is_back(
    canary: Rollout, story: Story
) -> None:
    assert canary.from_revision_id is not None
    story.node.phase[canary.from_revision_id] = ("starting", "0 of 1 replicas are ready")
    story.node.frozen_weights[canary.to_revision_id] = 10_000
    story.node.step()
    monitoring.watch_endpoints()
    monitoring.watch_endpoints()
    assert alerts() == [("stable_down", "open")]
    summary = Alert.objects.get(kind="stable_down").summary
    assert "does not answer; the node says starting: 0 of 1 replicas are ready." in summary
    assert "which was to get 5%." in summary
    story.settle()
    assert state_of(canary) == "waiting"

    story.node.phase.clear()
    story.node.frozen_weights.clear()
    story.node.step()
    monitoring.watch_endpoints()
    assert alerts() == [("stable_down", "resolved")]


def test_an_abort_does_not_wait_for_a_dead_stable_for_ever(canary: Rollout, story: Story) -> None:
    stable, tried = canary.from_revision_id, canary.to_revision_id
    assert stable is not None
    actions.abort(canary, reason="Wrong answers", actor=story.otto)
    story.node.phase[stable] = ("starting", "0 of 1 replicas are ready")
    story.node.frozen_weights[tried] = 10_000
    mended = story.release("development")
    story.settle()
    assert state_of(canary) == "aborting"
    with time_machine.travel(now() + timedelta(seconds=61), tick=True):
        story.settle(rounds=2)
        assert (state_of(canary), canary.reason) == ("aborted", "Wrong answers")
        monitoring.watch_endpoints()
        monitoring.watch_endpoints()
        assert alerts() == [("stable_down", "open")]
        Revision.objects.filter(pk=tried).update(warm_until=now())
        enqueue(
            "rollouts.reconcile_target", key=story.world.target.pk, target=story.world.target.pk
        )
        story.run_jobs("control")
        assert Revision.objects.get(pk=tried).state == "warm"  # it answers, and nothing else does
        del story.node.frozen_weights[tried]
        Job.objects.filter(state="queued").update(due_at=database_now())
        story.settle()
    assert story.state(mended) == "live"
    assert Revision.objects.get(pk=tried).state == "stopped"


def test_a_rollout_that_sends_everything_as_planned_is_no_alert(
    canary: Rollout, story: Story
) -> None:
    actions.promote(canary, step=canary.step, reason="x", actor=story.otto)
    story.run_jobs("control")
    story.node.step()
    monitoring.watch_endpoints()
    assert alerts() == []
