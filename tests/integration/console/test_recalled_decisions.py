"""Where only what somebody decided was recalled, no page says that of the version."""

import pytest

from apps.assurance.actions import recall
from apps.assurance.models import Recall
from apps.governance.models import Release
from apps.rollouts import actions
from apps.serving.actions import start_endpoint, stop_endpoint
from tests.support import factories
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db
WARM = {"keep_warm_seconds": 600}


def page(story: Story, path: str, *, who: str = "Otto") -> str:
    """Return what a page says to somebody, on one line."""
    answer = browser(story.people[who]).get(path)
    assert answer.status_code == 200, answer.content
    return " ".join(text_of(answer.content.decode()).splitlines())


def released(story: Story, by: str) -> Release:
    """Have a release to staging approved and rolled out."""
    release = story.release("staging", plan=WARM)
    story.approve(release, by=by)
    story.settle()
    return release


def decisions_recalled(story: Story, name: str) -> None:
    """Have an operator of the whole recall what somebody decided."""
    olga = factories.person("Olga", {"operator": None})
    story.people["Olga"] = olga
    what = story.people[name].pk
    recall(kind="person", what=what, reason="coerced", actor=factories.actor_of(olga))
    story.settle()


def test_where_no_rollback_goes_to_a_release_its_decisions_were_recalled_not_its_version(
    story: Story,
) -> None:
    first, second = released(story, "Rex"), released(story, "Rita")
    decisions_recalled(story, "Rex")
    told = f"the decisions of the release of {first.version} were recalled"
    for path in (f"/releases/{second.pk}/", f"/endpoints/{second.endpoint_id}/"):
        said = page(story, path)
        assert told in said and f"{first.version} was recalled" not in said
    again = "The version is not recalled: it can be requested again."
    assert again in page(story, f"/releases/{first.pk}/")


def test_an_endpoint_says_that_the_decisions_on_what_was_live_were_recalled(story: Story) -> None:
    first = released(story, "Rex")
    decisions_recalled(story, "Rex")
    said = page(story, f"/endpoints/{first.endpoint_id}/")
    told = "The decisions on what was live here were recalled, and the endpoint stopped."
    assert told in said and "What was live here was recalled" not in said


def test_a_recall_stops_no_endpoint_that_somebody_had_stopped_before(story: Story) -> None:
    first = released(story, "Rex")
    stop_endpoint(first.endpoint, actor=story.otto)
    decisions_recalled(story, "Rex")
    said = page(story, f"/recalls/{Recall.objects.get().pk}/", who="Olga")
    assert "Revoked, endpoint stayed stopped" in said and "endpoint stopped" not in said
    path = f"/endpoints/{first.endpoint_id}/"
    assert "were recalled, and the endpoint stayed stopped." in page(story, path)
    start_endpoint(first.endpoint, actor=story.otto)
    assert "were recalled, and the endpoint stayed stopped." in page(story, path)


def test_what_was_rolled_back_can_be_requested_again_where_only_its_decisions_are_recalled(
    story: Story,
) -> None:
    released(story, "Rita")
    second = released(story, "Rex")
    actions.rollback(second.endpoint, reason="worse", actor=story.otto)
    story.settle()
    decisions_recalled(story, "Rex")
    said = page(story, f"/releases/{second.pk}/")
    assert "or of this one again: what was decided on it is recalled, the version is not." in said
    assert "What it runs is recalled" not in said
