"""What pages say is so: each sentence on a situation that people and nodes brought about."""

from typing import Any

import pytest

from apps.governance.models import Release
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.serving.models import Revision
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db
HALF: dict[str, Any] = {
    "strategy": "canary",
    "steps": [{"set_weight": 60}, {"pause": {}}],
    "keep_warm_seconds": 600,
}


def page(story: Story, path: str, *, who: str = "Otto") -> str:
    """Return what a page says to somebody, a line for each block, on one line."""
    answer = browser(story.people[who]).get(path)
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def api(story: Story, path: str, *, who: str = "Otto") -> Any:
    """Return what the API answers somebody."""
    answer = browser(story.people[who]).get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def split(story: Story, first_release: Release) -> Release:
    """A canary to development that has 60 % beside the first release."""
    return story.under_way(HALF)


def test_during_a_canary_what_runs_where_says_the_share_of_each_version_and_leads_to_the_rollout(
    story: Story, split: Release
) -> None:
    said = page(story, "/")
    assert f"{split.version} 60 %" in said
    assert "churn:1 40 %" in said
    answer = browser(story.people["Otto"]).get("/").content.decode()
    assert f"/rollouts/{story.rollout(split).pk}/" in answer


def test_during_a_canary_each_version_stands_beside_who_approved_it(story: Story) -> None:
    story.live("staging")
    second = story.release("staging", plan=HALF)
    story.approve(second, by="Rita")
    story.settle()
    said = page(story, "/")
    assert "churn:1 40 %" in said and "churn:2 60 %" in said
    assert "Rex risk" in said and "Rita risk" in said


def test_after_a_canary_one_version_stands_there_alone(story: Story, split: Release) -> None:
    actions.promote(story.rollout(split), reason="well", actor=story.otto)
    story.settle()
    said = page(story, "/")
    assert "60 %" not in said and "40 %" not in said and "Rollout in progress" not in said
    assert "churn:2" in said


def test_a_revision_that_was_aborted_says_from_when_until_when_it_served_what(
    story: Story, split: Release
) -> None:
    actions.abort(story.rollout(split), reason="worse", actor=story.otto)
    story.settle()
    said = page(story, f"/endpoints/{split.endpoint_id}/")
    assert "(ago) until (ago) at most 60 %" in said
    (first, second) = sorted(
        api(story, f"/endpoints/{split.endpoint_id}/revisions")["items"],
        key=lambda row: int(row["number"]),
    )
    assert second["live_at"] is None
    assert second["peak_weight"] == 6_000
    assert second["first_served_at"] < second["last_served_at"]
    assert (first["peak_weight"], first["last_served_at"]) == (10_000, None)


def test_a_revision_that_never_had_requests_says_so(story: Story, first_release: Release) -> None:
    tried = story.release("development", plan=HALF)
    story.run_jobs("control")
    actions.abort(story.rollout(tried), reason="not yet", actor=story.otto)
    story.settle()
    tried_one = Revision.objects.get(release=tried.pk)
    assert (tried_one.first_served_at, tried_one.peak_weight) == (None, 0)
    assert "no requests" in page(story, f"/endpoints/{tried.endpoint_id}/")


def test_a_release_whose_rollout_people_aborted_says_aborted_and_not_failed(
    story: Story, split: Release
) -> None:
    actions.abort(story.rollout(split), reason="worse", actor=story.otto)
    story.settle()
    assert story.state(split) == "aborted"
    for path in (f"/releases/{split.pk}/", "/releases/?state=aborted", "/"):
        said = page(story, path)
        assert "✕ Aborted" in said and "✕ Failed" not in said, path
    assert api(story, f"/releases/{split.pk}")["release"]["state"] == "aborted"


def test_a_release_whose_revision_never_got_ready_still_says_failed(
    story: Story, first_release: Release
) -> None:
    second = story.release("development")
    story.settle(rounds=1)
    own = Revision.objects.get(release=second.pk)
    story.node.phase[own.pk] = ("failed", "it does not start")
    story.settle()
    assert story.state(second) == "failed"
    assert "Failed" in page(story, f"/releases/{second.pk}/")


def test_an_aborted_release_is_rolled_out_again_on_the_approval_that_it_has(
    story: Story, split: Release
) -> None:
    aborted = story.rollout(split)
    actions.abort(aborted, reason="not now", actor=story.otto)
    story.settle()
    aborted.refresh_from_db()
    actions.retry(aborted, reason="now", actor=story.otto)
    story.settle()
    assert story.state(split) == "rolling_out"
    again = Rollout.objects.filter(release=split).exclude(pk=aborted.pk).get()
    actions.promote(again, reason="well", actor=story.otto)
    story.settle()
    assert story.state(split) == "live"


def test_a_live_release_says_that_the_version_before_it_is_one_click_away_as_its_endpoint_does(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan={"keep_warm_seconds": 600})
    said = page(story, f"/releases/{second.pk}/")
    assert "One click now to churn:1" in said and "Nothing before it" not in said
    assert "churn:1 (revision 1) is kept warm" in page(story, f"/endpoints/{second.endpoint_id}/")


def test_a_live_release_says_what_was_so_at_the_decision_and_beside_it_what_is_so_now(
    story: Story, first_release: Release
) -> None:
    second = story.release("development", plan={"keep_warm_seconds": 600, "start": "manual"})
    before = page(story, f"/releases/{second.pk}/")
    assert "against churn:1, which is live now" in before
    then = "churn:1 keeps serving until the new replicas are ready, and stays warm for 10 min"
    assert f"If it goes wrong | {text_of(f'<main>{then}</main>')}" in before
    actions.start_rollout(second, actor=story.otto)
    story.settle()
    after = page(story, f"/releases/{second.pk}/")
    assert "in place of churn:1" in after
    assert "against churn:1, live at the decision" in after and "then live 1" in after
    assert f"At the decision: {text_of(f'<main>{then}</main>')}" in after
    assert "Now: Going back to churn:1 is one click" in after


def test_the_first_release_of_an_endpoint_says_that_nothing_was_live_at_the_decision(
    story: Story, first_release: Release
) -> None:
    said = page(story, f"/releases/{first_release.pk}/")
    assert "nothing was live at the decision" in said
    assert "now: there is no earlier revision to go back to" in said
    assert "Now: There is no earlier revision to go back to." in said


def test_a_record_says_the_same_of_the_decision_after_others_went_live_over_it(
    story: Story, first_release: Release
) -> None:
    second = story.live()
    was = api(story, f"/releases/{second.pk}")["changes"]
    assert was["compared_with"] == "churn:1"
    actions.rollback(second.endpoint, actor=story.otto)
    story.settle()
    story.live(endpoint="churn")
    assert story.state(second) == "rolled_back"
    assert api(story, f"/releases/{second.pk}")["changes"] == was
    assert "against churn:1, live at the decision" in page(story, f"/releases/{second.pk}/")


def test_a_release_from_before_that_was_written_down_says_that_it_was_not_recorded(
    story: Story, first_release: Release
) -> None:
    Release.objects.update(seen_live=None)
    said = page(story, f"/releases/{first_release.pk}/")
    assert "what was live when it was decided was not recorded" in said
    assert "At the decision: It was not recorded." in said
