"""Rollouts of several projects on one target: what goes wrong with one is no matter of another."""

from typing import Any

import pytest

from apps.governance.actions import create_environment
from apps.registry.models import Alias
from apps.rollouts import reconciler
from tests.support.story import Story
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db


def test_an_environment_of_any_name_can_be_released_to(story: Story) -> None:
    world = story.world
    create_environment(world.project, name="eu--west", targets=[world.target], actor=story.otto)
    world.policy("eu--west", OPEN)
    release = story.release("eu--west")
    story.settle()
    assert story.state(release) == "live"
    assert Alias.objects.get(name="live-eu--west").version == release.version


def test_a_rollout_that_cannot_be_moved_on_stops_no_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = story.release("development")
    story.run_jobs("rollouts.start")
    known = reconciler.reconcile

    def reconcile(rollout: str, *more: Any) -> Any:
        if rollout == story.rollout(stuck).pk:
            raise RuntimeError("nobody thought of this")
        return known(rollout, *more)

    monkeypatch.setattr(reconciler, "reconcile", reconcile)
    next_door = Story(World("next"), story.node, story.run_jobs)
    release = next_door.release("development")
    next_door.settle()
    assert (story.state(stuck), story.state(release)) == ("rolling_out", "live")
