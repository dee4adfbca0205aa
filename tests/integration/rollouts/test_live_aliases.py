"""``live-<environment>`` of a model names what is live there, or is not there."""

import pytest

from apps.assurance.actions import recall
from apps.governance.models import Release
from apps.registry.models import Alias
from apps.rollouts.actions import rollback
from apps.serving.actions import delete_endpoint, stop_endpoint
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.story import Story

pytestmark = pytest.mark.django_db
NAME = "live-development"


def named(model: str = "churn") -> tuple[str, str] | None:
    """Return the version that the alias names and the endpoint that has it."""
    row = Alias.objects.filter(model__name=model, name=NAME).first()
    return (row.version_id, row.managed_by) if row is not None else None


def of(release: Release) -> tuple[str, str]:
    """Return the same of a release."""
    return release.version_id, release.endpoint_id


def another_model(story: Story) -> Release:
    """Have another model take the endpoint."""
    return story.live("development", story.world.bento(story.world.version("fraud")))


def elsewhere(story: Story) -> Release:
    """Have the model served at a second endpoint of the environment."""
    bento = story.world.bento(story.world.version())
    return story.live("development", bento, endpoint="churn-2")


def taken_back(story: Story, release: Release) -> None:
    """Recall the Bento of a release."""
    place = story.world.project
    recall(kind="bento", what=release.bento_id, reason="bad", project=place, actor=story.otto)


def test_a_model_that_lost_the_endpoint_to_another_has_none(story: Story) -> None:
    first = story.lived()
    assert named() == of(first)
    other = another_model(story)
    assert (named(), named("fraud")) == (None, of(other))


def test_it_goes_over_to_the_endpoint_where_the_model_is_live(story: Story) -> None:
    first = story.lived()
    second = elsewhere(story)
    assert named() == of(first), "the first endpoint that the model is live at has it"
    another_model(story)
    assert named() == of(second)


def test_what_is_live_after_the_model_came_back_is_named(story: Story) -> None:
    first = story.lived()
    another_model(story)
    rollback(first.endpoint, reason="worse", actor=story.otto)
    story.settle()
    assert (named(), named("fraud")) == (of(first), None)


def test_nothing_recalled_is_named_as_live(story: Story) -> None:
    first = story.lived()
    second = elsewhere(story)
    taken_back(story, first)
    assert named() == of(second)
    taken_back(story, second)
    assert named() is None
    assert_log_rebuilds_every_row(Alias)


def test_what_an_endpoint_falls_back_to_is_named_once_it_is_live(story: Story) -> None:
    first = story.lived()
    second = story.live()
    taken_back(story, second)
    assert named() is None
    story.settle()
    assert (story.state(first), named()) == ("live", of(first))


def test_the_deletion_of_an_endpoint_leaves_it_to_another(story: Story) -> None:
    first = story.lived()
    second = elsewhere(story)
    endpoint = stop_endpoint(first.endpoint, actor=story.otto)
    assert named() == of(first), "what is stopped is live as its release is, and can be started"
    delete_endpoint(endpoint, if_generation=endpoint.generation, actor=story.otto)
    assert named() == of(second)
