"""What pages say before a recall ends what runs, and once something else serves there."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall, RecallEffect
from apps.governance.models import Release
from apps.rollouts import actions
from apps.serving.actions import start_endpoint, stop_endpoint
from placet.kernel.clock import now
from tests.support.factories import api, browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db
CANARY = {"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]}
WARM = {"keep_warm_seconds": 600}


def page(story: Story, path: str, who: str = "Otto") -> str:
    """Return what a page says to somebody, on one line."""
    answer = browser(story.people[who]).get(path)
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def recalled(story: Story, release: Release) -> Recall:
    """Have Otto recall the version of a release, which its node confirms."""
    said: dict[str, Any] = {"kind": "version", "what": release.version_id}
    row = recall(**said, reason="leaky", project=release.project, actor=story.otto)
    story.settle()
    story.node.confirm()
    return row


def test_the_banner_of_a_recall_that_stopped_an_endpoint_goes_once_it_serves_again(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    path = f"/endpoints/{first_release.endpoint_id}/"
    said = "What was live here was recalled, and the endpoint stopped."
    assert said in page(story, path)
    start_endpoint(first_release.endpoint, actor=story.otto)
    assert said in page(story, path), "nothing serves there"
    story.live()
    assert said not in page(story, path)
    RecallEffect.objects.update(state="contradicted")
    past = "That was (ago) ; another revision has gone live since."
    told = page(story, path).replace(" | ", " ")
    assert f"{said} {past} The node contradicts its own receipt." in told


def test_the_banner_of_a_recall_that_fell_back_stays_until_something_newer_is_live(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    recalled(story, second)
    path = f"/endpoints/{second.endpoint_id}/"
    said = "What was live here was recalled, and the endpoint fell back."
    assert said in page(story, path)
    story.live(plan=WARM)
    assert said not in page(story, path)


def test_the_banner_of_a_recall_goes_once_a_later_one_took_off_what_served_after_it(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    earlier = recalled(story, second)
    later = recalled(story, first_release)
    path = f"/endpoints/{second.endpoint_id}/"
    said = "What was live here was recalled, and the endpoint"
    assert f"{said} stopped." in page(story, path) and f"{said} fell back." not in page(story, path)
    lift(later, reason="A mistake", actor=story.vera)
    assert said not in page(story, path), "what stopped it was withdrawn; the other fell back"
    RecallEffect.objects.filter(recall=earlier).update(state="open")
    past = "That was (ago) ; a later recall has taken off what served after it."
    assert f"{said} fell back. {past}" in page(story, path).replace(" | ", " ")


def test_a_rollout_that_a_recall_ended_says_so_and_claims_nothing_that_did_not_happen(
    story: Story, first_release: Release
) -> None:
    going = story.under_way(CANARY)
    recalled(story, going)
    said = page(story, f"/rollouts/{story.rollout(going).pk}/")
    assert "churn:2 was to replace churn:1 at churn" in said
    assert "Ended by a recall" in said and "– Ended" in said
    assert "Rolled back" not in said and "by the platform" not in said
    released = page(story, f"/releases/{going.pk}/")
    assert "by the platform" not in released


def test_a_preview_says_that_a_canary_ends_and_what_serves_then(
    story: Story, first_release: Release
) -> None:
    going = story.under_way(CANARY)
    named = f"{going.project.slug}/{going.version}"
    then = "revoke, end its rollout: revision 1 goes on serving"
    assert then in page(story, f"/recalls/new/?kind=version&what={named}")
    client = api(story.people["Otto"])
    (found,) = client.get(f"/recalls/preview?kind=version&what={named}").json()["releases"]
    assert (found["action"], found["outcome"]) == ("ended", then)


def test_where_nothing_else_serves_a_preview_says_that_too(story: Story) -> None:
    going = story.release("development", plan=CANARY)
    story.run_jobs("control")
    assert story.state(going) == "rolling_out"
    named = f"{going.project.slug}/{going.version}"
    then = "revoke, end its rollout: nothing else serves there"
    assert then in page(story, f"/recalls/new/?kind=version&what={named}")


def test_a_rollout_whose_endpoint_is_stopped_says_that_it_is_started_before_a_retry(
    story: Story, first_release: Release
) -> None:
    going = story.under_way(CANARY)
    rollout = story.rollout(going)
    actions.abort(rollout, reason="worse in Lyon", actor=story.otto)
    story.settle()
    path, why = f"/rollouts/{rollout.pk}/", "It can be retried once its endpoint is started."
    said = page(story, path)
    assert "Retry…" in said and why not in said
    stop_endpoint(going.endpoint, actor=story.otto)
    said = page(story, path)
    assert "Retry…" not in said and f"{why} Open endpoint" in said
    with time_machine.travel(now() + timedelta(hours=1)):
        renews = f'hx-get="{path}"'
        assert renews in browser(story.people["Otto"]).get(path).content.decode()
        start_endpoint(going.endpoint, actor=story.otto)
        assert renews not in browser(story.people["Otto"]).get(path).content.decode()


def test_what_is_recalled_behind_a_stopped_endpoint_goes_back_once_that_is_started(
    story: Story, first_release: Release
) -> None:
    second = story.live()
    stop_endpoint(second.endpoint, actor=story.otto)
    story.settle()
    otto, named = api(story.people["Otto"]), f"{second.project.slug}/{second.version}"
    then = "the endpoint goes back to revision 1 once it is started"
    assert f"revoke: {then}" in page(story, f"/recalls/new/?kind=version&what={named}")
    (foreseen,) = otto.get(f"/recalls/preview?kind=version&what={named}").json()["releases"]
    assert foreseen["outcome"] == f"revoke: {then}"
    row = recalled(story, second)
    path, effects = f"/endpoints/{second.endpoint_id}/", f"/recalls/{row.pk}/effects"
    confirmed = "The node has confirmed that what was recalled does not run."
    said = page(story, path)
    assert f"What was live here was recalled, and {then}. {confirmed}" in said.replace(" | ", " ")
    assert f"Revoked, {then.removeprefix('the ')}" in page(story, f"/recalls/{row.pk}/")
    (effect,) = otto.get(effects).json()["items"]
    assert effect["outcome"] == f"Revoked, {then.removeprefix('the ')}"
    start_endpoint(second.endpoint, actor=story.otto)
    story.settle()
    assert "and the endpoint fell back." in page(story, path)
    (effect,) = otto.get(effects).json()["items"]
    assert effect["outcome"] == "Revoked, endpoint fell back"


def test_an_open_page_of_an_endpoint_is_told_once_its_node_confirms_a_recall(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    otto, path = browser(story.people["Otto"]), f"/endpoints/{second.endpoint_id}/"

    def polled() -> str:
        return otto.get(path, headers={"HX-Request": "true"})["X-Page-State"]

    recalled(story, second)
    after = polled()
    assert f'data-page-state="{after}"' in otto.get(path).content.decode()
    RecallEffect.objects.update(state="open")
    assert polled() != after


def test_an_open_page_of_revisions_is_told_once_the_endpoint_is_stopped(
    story: Story, first_release: Release
) -> None:
    otto, path = browser(story.people["Otto"]), f"/endpoints/{first_release.endpoint_id}/revisions/"

    def polled() -> str:
        return otto.get(f"{path}?state")["X-Page-State"]

    going = story.under_way(CANARY)
    shared = polled()
    recalled(story, going)
    assert polled() != shared, "what is recalled is not ready any more"
    before = polled()
    part = otto.get(path, headers={"HX-Request": "true"})  # as the first page reads its lines
    assert part.status_code == 200 and "X-Page-State" not in part
    assert f'data-page-state="{before}"' in otto.get(path).content.decode()
    stop_endpoint(first_release.endpoint, actor=story.otto)
    assert polled() != before


def test_an_open_page_of_a_recall_is_told_once_somebody_withdraws_it(
    story: Story, first_release: Release
) -> None:
    row = recalled(story, first_release)
    otto, path = browser(story.people["Otto"]), f"/recalls/{row.pk}/"
    shown = otto.get(path).content.decode()
    assert 'hx-trigger="every 10s"' in shown, "its node has confirmed it"
    polled = otto.get(path, headers={"HX-Request": "true"})["X-Page-State"]
    assert f'data-page-state="{polled}"' in shown
    lift(row, reason="it was not leaky", actor=story.vera)
    assert otto.get(path, headers={"HX-Request": "true"})["X-Page-State"] != polled
    assert "every 10s" not in otto.get(path).content.decode()


def test_what_a_recall_ended_says_once_that_is_withdrawn_that_it_was(
    story: Story, first_release: Release
) -> None:
    row = recalled(story, first_release)
    said = {  # on each page
        f"/endpoints/{first_release.endpoint_id}/": "(by Otto risk , withdrawn (ago) ) (ago)",
        f"/endpoints/{first_release.endpoint_id}/revisions/": "“leaky” Withdrawn (ago) .",
        "/": "leaky The recall was withdrawn (ago) .",
    }

    def told(path: str) -> str:
        return page(story, path, who="Ada" if path == "/" else "Otto").replace(" | ", " ")

    for path in said:
        assert "withdrawn" not in told(path).lower()
    lift(row, reason="A mistake", actor=story.vera)
    for path, words in said.items():
        assert words in told(path)
    revisions = api(story.people["Otto"]).get(f"/endpoints/{first_release.endpoint_id}/revisions")
    assert revisions.json()["items"][0]["recall"]["withdrawn_at"]
