"""A second release for an endpoint that is being moved: it waits, or sends the first one back."""

from datetime import timedelta
from typing import Any

import pytest

from apps.governance import actions as governance
from apps.governance.models import Release
from apps.jobs.models import Job
from apps.rollouts import actions
from apps.rollouts.rules import STEPPING
from apps.serving.models import Revision
from placet.kernel.clock import database_now
from tests.support.story import Story

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
CANARY: dict[str, Any] = {"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}]}


@pytest.fixture
def first(story: Story) -> Release:
    """A canary that waits for a person at 5%."""
    return story.under_way(CANARY)


def again(story: Story, times: int = 5) -> None:
    """Let starts that wait be asked again, more often than a failing one would be."""
    for _ in range(times):
        Job.objects.filter(kind="rollouts.start", state="queued").update(due_at=database_now())
        story.settle(rounds=3)


def test_the_second_waits_however_long_and_starts_when_the_first_is_done(
    story: Story, first: Release
) -> None:
    second = story.release("development")
    again(story)
    assert (story.state(first), story.state(second)) == ("rolling_out", "approved")
    assert not Job.objects.filter(state="failed").exists()
    row = story.rollout(first)
    actions.promote(row, step=row.step, reason="well", actor=story.otto)
    again(story)
    assert (story.state(first), story.state(second)) == ("superseded", "live")


def test_of_two_that_waited_the_one_that_was_requested_first_goes_first(
    story: Story, first: Release
) -> None:
    second = story.release("development")
    third = story.release("development", story.world.bento(story.world.version()))
    again(story)
    assert (story.state(second), story.state(third)) == ("approved", "approved")
    starts = Job.objects.filter(kind="rollouts.start", state="queued")
    starts.update(due_at=database_now() + timedelta(hours=1))  # nobody is asked meanwhile
    row = story.rollout(first)
    actions.promote(row, step=row.step, reason="well", actor=story.otto)
    story.settle()
    assert story.state(first) == "live"
    starts.filter(key=third.pk).update(due_at=database_now())
    story.settle()
    assert story.state(third) == "approved", "the second waits too, and has not been asked yet"
    again(story)
    assert (story.state(second), story.state(third)) == ("superseded", "live")


def test_one_that_waits_for_something_else_holds_nobody_up(story: Story, first: Release) -> None:
    second = story.release("development")
    third = story.release("development", story.world.bento(story.world.version()))
    again(story)
    row = story.rollout(first)
    actions.abort(row, reason="worse", actor=story.otto)
    starts = Job.objects.filter(kind="rollouts.start", state="queued")
    starts.filter(key=second.pk).update(error="no room", due_at=database_now() + timedelta(hours=1))
    story.settle()
    starts.filter(key=third.pk).update(due_at=database_now())
    story.settle()
    assert story.state(third) == "live"


def test_the_second_sends_the_first_back_if_its_plan_says_so(story: Story, first: Release) -> None:
    second = story.release("development", plan=CANARY | {"when_busy": "supersede"})
    story.run_jobs("control")
    weights = Revision.objects.order_by("number").values_list("weight", flat=True)
    assert list(weights) == [10_000, 0], "everything is back on what is live first"
    again(story)
    before = story.rollout(first)
    assert (before.state, before.reason) == ("aborted", f"Superseded by release {second.number}")
    assert (story.state(first), story.state(second)) == ("aborted", "rolling_out")
    assert story.rollout(second).step == 1


def test_an_older_one_sends_no_newer_one_back(story: Story) -> None:
    older = story.release("staging", plan={"when_busy": "supersede"})
    live = story.release("staging")
    story.approve(live)
    story.settle()
    newer = story.release("staging", plan=CANARY)
    story.approve(newer)
    story.settle()
    story.approve(older)
    again(story)
    assert (story.state(newer), story.state(older)) == ("rolling_out", "approved")
    row = story.rollout(newer)
    actions.promote(row, step=row.step, reason="well", actor=story.otto)
    again(story)
    assert (story.state(newer), story.state(older)) == ("live", "approved"), (
        "people start it, if anybody"
    )
    assert governance.start_waiting() == 0


def test_a_rollback_is_never_superseded(story: Story) -> None:
    story.lived()
    endpoint = Revision.objects.latest("number").endpoint
    back = actions.rollback(endpoint, reason="worse", actor=story.otto)
    third = story.release("development", plan={"when_busy": "supersede"})
    story.run_jobs("control")
    back.refresh_from_db()
    assert (back.state in STEPPING, story.state(third)) == (True, "approved")
    again(story)
    back.refresh_from_db()
    assert (back.state, story.state(third)) == ("done", "live")
