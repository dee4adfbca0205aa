"""A release that its node scales by load goes out: before each larger share of the requests it has
the replicas for it. What goes back waits for none."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.audit.models import Event
from apps.rollouts import actions
from apps.rollouts.errors import NotSkippable
from apps.rollouts.models import Rollout
from apps.serving.capacity import running_mb
from apps.serving.errors import NoRoom
from apps.serving.models import Endpoint, Revision, Target
from placet.kernel.clock import now
from tests.integration.rollouts.test_stepping import let_pass, sentences
from tests.support.factories import api, browser
from tests.support.scaled import ASKED
from tests.support.story import Story, weights

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
CANARY = {
    "strategy": "canary",
    "steps": [{"set_weight": 5}, {"pause": {}}, {"set_weight": 50}, {"pause": {}}],
}


def begun(story: Story, plan: dict[str, Any], *, stable: int = 6) -> tuple[Rollout, Revision]:
    """Have a release that its node scales be about to go out, beside a live revision of which so
    many replicas answer."""
    roomy()
    story.node.ready[Revision.objects.get(number=1).pk] = stable
    release = story.release("development", plan=plan, serving=ASKED)
    story.settle()
    return story.rollout(release), Revision.objects.get(number=2)


def roomy() -> None:
    """Have room for all that may be scaled."""
    Target.objects.update(capacity_mb=1 << 16)


def replicas(revision: Revision) -> int:
    """Return how many its node is told to have."""
    revision.refresh_from_db()
    return revision.replicas


def waits_for(story: Story, rollout: Rollout) -> str:
    """Return what its page says that it waits for."""
    return browser(story.people["Otto"]).get(f"/rollouts/{rollout.pk}/").content.decode()


def test_each_step_waits_for_the_replicas_that_its_share_needs(story: Story) -> None:
    rollout, candidate = begun(story, CANARY)
    assert (rollout.state, rollout.step, weights()) == ("waiting", 1, [9_500, 500])
    assert replicas(candidate) == 1

    story.node.ready[candidate.pk] = 1  # it is slow to start more
    actions.resume(rollout, step=1, reason="looks well", actor=story.otto)
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, rollout.step, weights()) == ("shifting", 2, [9_500, 500])
    assert replicas(candidate) == 3
    assert story.node.revisions()[candidate.pk]["replicas"] == 3
    assert "every replica of the new revision to be ready" in waits_for(story, rollout)
    with pytest.raises(NotSkippable):
        actions.skip(rollout, step=2, reason="now", actor=story.otto)

    story.node.ready[candidate.pk] = 3
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, rollout.step, weights()) == ("waiting", 3, [5_000, 5_000])

    del story.node.ready[candidate.pk]
    actions.promote(rollout, step=3, reason="well", actor=story.otto)
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, weights()) == ("done", [0, 10_000])
    assert replicas(candidate) == 6  # what it was given stays when it is live
    assert sentences(rollout) == [
        *("started", "weight_set", "waiting_for_person"),
        *("resumed", "scaling_up", "scaling_up", "weight_set", "waiting_for_person"),
        *("promoted", "scaling_up", "scaling_up", "shifting", "draining", "done"),
    ]
    events = Event.objects.filter(kind="rollout.scaling_up.v1").order_by("index")
    assert [json.loads(event.body)["data"] for event in events] == [
        {"percent": 50, "replicas": 1, "step": 3},
        {"percent": 50, "replicas": 3, "step": 3},
        {"percent": 100, "replicas": 3, "step": 5},
        {"percent": 100, "replicas": 6, "step": 5},
    ]


def test_a_pause_that_ends_by_itself_and_a_hold_wait_with_it(story: Story) -> None:
    steps = [{"set_weight": 5}, {"pause": {"duration_seconds": 600}}, {"set_weight": 50}]
    rollout, candidate = begun(story, {"strategy": "canary", "steps": [*steps, {"pause": {}}]})
    story.node.ready[candidate.pk] = 1
    let_pass(rollout, 600)
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, rollout.step, weights()) == ("shifting", 2, [9_500, 500])
    assert sentences(rollout)[-1] == "scaling_up"

    actions.pause(rollout, reason="wait a moment", actor=story.otto)
    story.node.ready[candidate.pk] = 3
    story.settle()
    assert weights() == [9_500, 500]
    actions.resume(rollout, step=2, reason="go on", actor=story.otto)
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, rollout.step, weights()) == ("waiting", 3, [5_000, 5_000])


def test_replicas_that_do_not_come_have_it_paused_until_somebody_decides(story: Story) -> None:
    rollout, candidate = begun(story, CANARY)
    story.node.ready[candidate.pk] = 1
    actions.resume(rollout, step=1, reason="looks well", actor=story.otto)
    story.settle()
    rollout.refresh_from_db()
    assert rollout.deadline > now() + timedelta(seconds=290)  # its plan's time to be ready
    out_of_time(rollout)
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, rollout.step, weights()) == ("shifting", 2, [9_500, 500])
    reason = "The new revision did not get its replicas in time: 1 of 3 were ready"
    assert rollout.reason.startswith(reason)
    assert sentences(rollout)[-2:] == ["scaling_up", "paused"]
    paused = Event.objects.get(subject=rollout.pk, kind="rollout.paused.v1")
    assert paused.actor_id == "system"
    assert rollout.stands_since == datetime.fromisoformat(rollout.phase_times["paused"])

    words = "Paused by Placet: step 3 did not get its replicas in time"
    page = waits_for(story, rollout)
    assert words in page
    assert reason in page
    shown = api(story.people["Otto"]).get(f"/api/v1/rollouts/{rollout.pk}").json()
    assert (shown["paused"], shown["waits"]) == (True, words)
    assert shown["reason"].startswith(reason)

    story.node.ready[candidate.pk] = 3  # too late: people decide
    story.settle()
    assert weights() == [9_500, 500]
    story.node.ready[candidate.pk] = 1
    story.node.step()
    actions.resume(rollout, step=2, reason="more memory now", actor=story.otto)
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.paused_by, rollout.state, weights()) == ("", "shifting", [9_500, 500])
    assert rollout.deadline > now() + timedelta(seconds=290)  # its whole time again
    story.node.ready[candidate.pk] = 3
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, rollout.step, weights()) == ("waiting", 3, [5_000, 5_000])


def test_who_aborts_what_is_paused_for_want_of_replicas_has_all_requests_back(
    story: Story,
) -> None:
    rollout, candidate = begun(story, CANARY)
    story.node.ready[candidate.pk] = 1
    actions.resume(rollout, step=1, reason="looks well", actor=story.otto)
    story.settle()
    rollout.refresh_from_db()
    out_of_time(rollout)
    story.settle()
    rollout.refresh_from_db()
    assert rollout.paused_by == "system"
    actions.abort(rollout, reason="no room", actor=story.otto)
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, rollout.paused_by, weights()) == ("aborted", "", [10_000, 0])


def out_of_time(rollout: Rollout) -> None:
    """Have the time be over in which its replicas were to be ready."""
    Rollout.objects.filter(pk=rollout.pk).update(deadline=now() - timedelta(seconds=1))


def test_it_may_be_aborted_and_breaks_while_it_waits_for_replicas(story: Story) -> None:
    rollout, candidate = begun(story, CANARY)
    story.node.ready[candidate.pk] = 1
    actions.resume(rollout, step=1, reason="looks well", actor=story.otto)
    story.settle()
    assert replicas(candidate) == 3
    rollout.refresh_from_db()
    actions.abort(rollout, reason="it never starts", actor=story.otto)
    assert weights() == [10_000, 0]  # at once
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, weights()) == ("aborted", [10_000, 0])


def test_all_at_once_begins_with_what_all_requests_need(story: Story) -> None:
    rollout, candidate = begun(story, {})
    assert (rollout.state, weights()) == ("done", [0, 10_000])
    assert replicas(candidate) == 6
    assert sentences(rollout)[:3] == ["started", "scaling_up", "shifting"]


def test_what_is_not_scaled_gets_its_share_with_the_replicas_that_it_has(story: Story) -> None:
    begun(story, {})
    plain = story.release("development")
    story.settle()
    assert (story.rollout(plain).state, weights()) == ("done", [0, 0, 10_000])
    assert replicas(Revision.objects.get(number=3)) == 1


def test_a_rollback_gives_all_requests_at_once_and_asks_for_the_replicas_with_them(
    story: Story,
) -> None:
    _, former = begun(story, {})
    assert replicas(former) == 6
    story.node.ready[former.pk] = 1  # its node left it one
    story.live()
    assert replicas(former) == 1
    story.node.ready[Revision.objects.get(number=3).pk] = 5
    story.node.step()
    rollout = actions.rollback(Endpoint.objects.get(), reason="worse", actor=story.otto)
    story.run_jobs("control")
    assert weights() == [0, 10_000, 0]
    assert replicas(former) == 5
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, weights()) == ("done", [0, 10_000, 0])


def test_a_way_back_needs_room_for_what_begins_and_for_all_once_the_newer_one_has_left(
    story: Story,
) -> None:
    """It may have eight where one serves: eight do not fit beside that, but instead of it."""
    _, former = begun(story, {})
    story.live(plan={"keep_warm_seconds": 0})
    memory = former.memory_mb
    endpoint = Endpoint.objects.get()
    most = former.serving["max_replicas"]
    taken = running_mb(endpoint)
    Target.objects.update(capacity_mb=most * memory - 1)
    with pytest.raises(NoRoom):  # it would have no room where it is live
        actions.rollback(endpoint, reason="worse", actor=story.otto)
    Target.objects.update(capacity_mb=max(most * memory, taken + memory))
    assert most * memory < taken + most * memory
    actions.rollback(endpoint, reason="worse", actor=story.otto)
    story.settle()
    assert (replicas(former), former.state) == (1, "live")


def test_a_stopped_one_begins_again_with_what_its_release_says(story: Story) -> None:
    _, former = begun(story, {})
    story.live(plan={"keep_warm_seconds": 0})
    assert (replicas(former), former.state) == (6, "stopped")
    actions.rollback(Endpoint.objects.get(), reason="worse", actor=story.otto)
    assert (replicas(former), former.state) == (1, "starting")
