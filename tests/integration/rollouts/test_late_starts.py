"""An approved release whose start was held up starts by itself when nothing is in its way."""

from datetime import timedelta

import pytest

from apps.governance import actions as governance
from apps.governance.models import Release
from apps.jobs.models import Job
from placet.kernel.clock import database_now
from tests.support.story import Story

pytestmark = pytest.mark.django_db


@pytest.fixture
def held_up(story: Story) -> Release:
    """Approved in staging, then frozen before it started, until its start was given up."""
    release = story.release("staging")
    story.approve(release)
    governance.set_freeze(story.world.environment("staging"), reason="Incident", actor=story.vera)
    for _ in range(3):
        Job.objects.filter(kind="rollouts.start").update(due_at=database_now())
        story.run_jobs("control")
    assert Job.objects.get(kind="rollouts.start").state == "failed"
    assert story.state(release) == "approved"
    return release


def later(seconds: int) -> None:
    """Let the starts that ended have ended so many seconds ago."""
    ended = database_now() - timedelta(seconds=seconds)
    Job.objects.filter(kind="rollouts.start", state="failed").update(finished_at=ended)


def lift(story: Story, release: Release) -> None:
    """Have Otto lift every freeze."""
    for freeze in release.environment.freezes.filter(lifted_at=None):
        governance.lift_freeze(freeze, actor=story.otto)


def test_a_lifted_freeze_starts_what_was_approved_before_it(story: Story, held_up: Release) -> None:
    later(3600)
    assert governance.start_waiting() == 0
    lift(story, held_up)
    assert governance.start_waiting() == 1
    assert governance.start_waiting() == 0  # it is under way
    story.settle()
    assert story.state(held_up) == "live"
    assert governance.start_waiting() == 0


def test_a_start_that_failed_is_tried_again_later_and_later(story: Story, held_up: Release) -> None:
    lift(story, held_up)
    assert governance.start_waiting() == 0
    later(61)
    assert governance.start_waiting() == 1
    Job.objects.filter(kind="rollouts.start").update(state="failed", finished_at=database_now())
    later(61)
    assert governance.start_waiting() == 0
    later(121)
    assert governance.start_waiting() == 1


def test_an_older_release_does_not_come_back_over_a_newer_one_by_itself(
    story: Story, held_up: Release
) -> None:
    lift(story, held_up)
    newer = story.release("staging")
    story.approve(newer)
    story.settle()
    assert story.state(newer) == "live"
    later(3600)
    assert governance.start_waiting() == 0
    assert story.state(held_up) == "approved"


def test_what_waits_for_an_operator_is_not_started(story: Story) -> None:
    release = story.release("staging", plan={"start": "manual"})
    story.approve(release)
    assert story.state(release) == "approved"
    assert governance.start_waiting() == 0
