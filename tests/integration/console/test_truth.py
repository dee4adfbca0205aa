"""What pages say is so: each sentence on a situation that people and nodes brought about."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall
from apps.governance.actions import withdraw
from apps.governance.models import Release
from apps.monitoring.actions import open_alert, remove_objective, set_objective
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import Alert, AlertKind, MetricWindow
from apps.monitoring.reconciler import watch_endpoints
from apps.monitoring.rules import ObjectiveTerms
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.serving.actions import require_api_key, start_endpoint, stop_endpoint
from apps.serving.models import DesiredState, Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from tests.support import break_glass, factories
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story
from tests.support.world import OPEN, World, digest_of

pytestmark = pytest.mark.django_db
OPEN_TO_ALL = "everybody who can reach the address can send requests"
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
    assert answer.status_code == 200
    return json.loads(b"".join(answer))


@pytest.fixture
def split(story: Story, first_release: Release) -> Release:
    """A canary to development that has 60% beside the first release."""
    return story.under_way(HALF)


def test_during_a_canary_what_runs_where_says_the_share_of_each_version_and_leads_to_the_rollout(
    story: Story, split: Release
) -> None:
    said = page(story, "/")
    assert f"{split.version} 60%" in said
    assert "churn:1 40%" in said
    answer = browser(story.people["Otto"]).get("/").content.decode()
    assert f"/rollouts/{story.rollout(split).pk}/" in answer


def test_during_a_canary_each_version_stands_beside_who_approved_it(story: Story) -> None:
    story.live("staging")
    second = story.release("staging", plan=HALF)
    story.approve(second, by="Rita")
    story.settle()
    said = page(story, "/")
    assert "churn:1 40%" in said and "churn:2 60%" in said
    assert "Rex risk" in said and "Rita risk" in said


def test_after_a_canary_one_version_stands_there_alone(story: Story, split: Release) -> None:
    row = story.rollout(split)
    actions.promote(row, step=row.step, reason="well", actor=story.otto)
    story.settle()
    said = page(story, "/")
    assert "60%" not in said and "40%" not in said and "Rollout in progress" not in said
    assert "churn:2" in said


def test_a_revision_that_was_aborted_says_from_when_until_when_it_served_what(
    story: Story, split: Release
) -> None:
    actions.abort(story.rollout(split), reason="worse", actor=story.otto)
    story.settle()
    said = page(story, f"/endpoints/{split.endpoint_id}/revisions/")
    assert "first (ago) , last (ago) at most 60%" in said
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
    assert "no requests" in page(story, f"/endpoints/{tried.endpoint_id}/revisions/")


def test_a_release_whose_rollout_people_aborted_says_aborted_and_not_failed(
    story: Story, split: Release
) -> None:
    actions.abort(story.rollout(split), reason="worse", actor=story.otto)
    story.settle()
    assert story.state(split) == "aborted"
    for path in (f"/releases/{split.pk}/", "/releases/?state=aborted"):
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
    actions.promote(again, step=again.step, reason="well", actor=story.otto)
    story.settle()
    assert story.state(split) == "live"


def test_a_live_release_says_that_the_version_before_it_is_one_click_away_as_its_endpoint_does(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan={"keep_warm_seconds": 600})
    said = page(story, f"/releases/{second.pk}/")
    assert "One click now to churn:1" in said and "No earlier version" not in said
    assert "churn:1 (revision 1) is on standby" in page(story, f"/endpoints/{second.endpoint_id}/")


def test_a_live_release_says_what_was_so_at_the_decision_and_beside_it_what_is_so_now(
    story: Story, first_release: Release
) -> None:
    second = story.release("development", plan={"keep_warm_seconds": 600, "start": "manual"})
    before = page(story, f"/releases/{second.pk}/")
    assert "compared with churn:1 (live)" in before
    then = "churn:1 keeps serving until the new replicas are ready, and stays on standby for 10 min"
    assert f"Rollback plan | {text_of(f'<main>{then}</main>')}" in before
    actions.start_rollout(second, actor=story.otto)
    story.settle()
    assert "(replaces churn:1)" in before
    after = page(story, f"/releases/{second.pk}/")
    assert "replaces" not in after
    assert "At the decision, churn:1 was live. Live now: this release." in after
    assert "compared with churn:1 (live at the decision)" in after and "then live 1" in after
    assert f"At the decision: {text_of(f'<main>{then}</main>')}" in after
    assert "Now: Rolling back to churn:1 is one click" in after


def test_the_first_release_of_an_endpoint_says_that_nothing_was_live_at_the_decision(
    story: Story, first_release: Release
) -> None:
    said = page(story, f"/releases/{first_release.pk}/")
    assert "nothing was live at the decision" in said
    assert "At the decision, nothing was live. Live now: this release." in said
    assert "now: there is no earlier revision to go back to" in said
    assert "Now: There is no earlier revision to go back to." in said


def test_a_record_says_the_same_of_the_decision_after_others_went_live_over_it(
    story: Story, first_release: Release
) -> None:
    second = story.live()
    was = api(story, f"/releases/{second.pk}")["changes"]
    assert was["compared_with"] == "churn:1"
    actions.rollback(second.endpoint, reason="worse", actor=story.otto)
    story.settle()
    story.live(endpoint="churn")
    assert story.state(second) == "rolled_back"
    assert api(story, f"/releases/{second.pk}")["changes"] == was
    said = page(story, f"/releases/{second.pk}/")
    assert "compared with churn:1 (live at the decision)" in said
    assert "At the decision, churn:1 was live. Live now: churn:3" in said


def test_a_release_that_was_withdrawn_says_what_was_live_then_and_what_is_now(
    story: Story, first_release: Release
) -> None:
    second = story.release("development", plan={"start": "manual"})
    Release.objects.filter(pk=second.pk).update(state="requested", approved_at=None)
    withdraw(second, actor=story.world.ada)
    said = page(story, f"/releases/{second.pk}/")
    assert "When it ended, churn:1 was live. Live now: churn:1" in said
    assert "(live when it ended)" in said
    assert "replaces" not in said


def test_a_release_from_before_that_was_written_down_says_that_it_was_not_recorded(
    story: Story, first_release: Release
) -> None:
    Release.objects.update(seen_live=None)
    said = page(story, f"/releases/{first_release.pk}/")
    assert "what was live at the decision was not recorded" in said
    assert "At the decision: Not recorded." in said


def breach(story: Story, release: Release, **more: Any) -> None:
    """Hold the endpoint to an objective, and have the node say that every third answer failed."""
    terms = ObjectiveTerms(availability=0.99, min_requests=10, window_minutes=5, **more)
    set_objective(release.endpoint, terms=terms, actor=story.otto)
    live = Revision.objects.get(release=release.pk)
    Revision.objects.filter(pk=live.pk).update(live_at=now() - timedelta(hours=1))
    window = {
        "revision": live.pk,
        "started_at": rfc3339(now() - timedelta(seconds=60)),
        "seconds": 10.0,
        "status_2xx": 200,
        "status_5xx": 100,
        "latency": {"5": 300},
    }
    story.node.report(metrics=[window])
    story.run_jobs("control")


def healths(story: Story, release: Release) -> list[str]:
    """Return how every place that says it says that the endpoint is."""
    endpoint = release.endpoint_id
    words = {"Healthy": "healthy", "Degraded": "degraded", "Down": "down", "◷ Starting": "starting"}
    said = [page(story, path) for path in ("/", "/endpoints/", f"/endpoints/{endpoint}/")]
    shown = [next(word for text, word in words.items() if text in one) for one in said]
    one = api(story, f"/endpoints/{endpoint}")["health"]
    several = api(story, "/projects/risk/environments/development/endpoints")["items"]
    rows = api(story, "/exports/endpoints?format=json")
    return [*shown, one, *(row["health"] for row in several), *(row["health"] for row in rows)]


def test_an_endpoint_with_nothing_wrong_is_healthy_wherever_it_is_said(
    story: Story, first_release: Release
) -> None:
    assert set(healths(story, first_release)) == {"healthy"}
    assert "you're all caught up" in page(story, "/")


def test_an_endpoint_that_does_not_keep_to_its_objective_is_degraded_wherever_it_is_said(
    story: Story, first_release: Release
) -> None:
    breach(story, first_release)
    watch_endpoints()
    assert set(healths(story, first_release)) == {"degraded"}
    said = page(story, "/")
    assert "1 open alert" in said and "caught up" not in said
    assert "▲ Degraded | Objective not met" in said
    (why,) = api(story, f"/endpoints/{first_release.endpoint_id}")["troubles"]
    assert why.startswith("Objective not met: churn:1: 66.666% of 300 requests in 5 min")
    assert 'title="open alerts">1<' in browser(story.people["Otto"]).get("/").content.decode()


def test_an_alert_about_what_served_before_does_not_degrade_what_serves_now(
    story: Story, first_release: Release
) -> None:
    breach(story, first_release)
    watch_endpoints()
    stopped = AlertKind.RECALL_STOPPED
    finding = AlertFinding(stopped, first_release.endpoint_id, "churn", "clients get 503")
    open_alert(replace(finding, endpoint=first_release.endpoint), actor=SYSTEM)
    assert set(healths(story, first_release)) == {"degraded"}
    story.live()
    assert Alert.objects.filter(state="open").count() == 2, "the next look ends them"
    assert set(healths(story, first_release)) == {"healthy"}
    assert api(story, f"/endpoints/{first_release.endpoint_id}")["troubles"] == []


def test_that_a_drill_failed_degrades_what_serves_until_a_person_says_otherwise(
    story: Story, first_release: Release
) -> None:
    live = Revision.objects.get(release=first_release.pk)
    finding = AlertFinding(AlertKind.DRILL_FAILED, first_release.endpoint_id, "churn", "It failed")
    open_alert(replace(finding, endpoint=first_release.endpoint, revision=live.pk), actor=SYSTEM)
    story.live()
    assert set(healths(story, first_release)) == {"degraded"}


def test_an_endpoint_without_requests_is_healthy_and_not_measured_wherever_it_is_said(
    story: Story, first_release: Release
) -> None:
    terms = ObjectiveTerms(availability=0.99, window_minutes=5, expect_traffic=True)
    set_objective(first_release.endpoint, terms=terms, actor=story.otto)
    Revision.objects.update(live_at=now() - timedelta(hours=1))
    story.node.report()
    watch_endpoints()
    assert set(healths(story, first_release)) == {"healthy"}
    own = f"/endpoints/{first_release.endpoint_id}/"
    for path in ("/", "/endpoints/", own):
        said = page(story, path)
        assert "● Healthy" in said and "Not measured" in said, path
    assert "Not measured" in page(story, "/alerts/")
    assert "? No requests" in page(story, f"{own}settings/")


def test_the_page_of_an_endpoint_says_that_its_objective_is_not_met_before_the_alert_is_open(
    story: Story, first_release: Release
) -> None:
    breach(story, first_release)
    assert not Alert.objects.exists()
    said = page(story, f"/endpoints/{first_release.endpoint_id}/")
    assert "▲ Degraded" in said and "● Healthy" not in said


def test_an_endpoint_none_of_whose_replicas_answers_is_down_wherever_it_is_said(
    story: Story, first_release: Release
) -> None:
    own = Revision.objects.get(release=first_release.pk)
    story.node.phase[own.pk] = ("failed", "killed")
    story.node.step()
    assert set(healths(story, first_release)) == {"down"}
    assert "✕ Down | No replica answers" in page(story, "/")


def test_what_stands_beside_the_status_of_an_endpoint_renews_itself_once_something_moved(
    story: Story, first_release: Release
) -> None:
    otto, path = browser(story.people["Otto"]), f"/endpoints/{first_release.endpoint_id}/"

    def polled(url: str) -> str:
        return otto.get(url, headers={"HX-Request": "true"}).content.decode()

    shown = otto.get(path).content.decode()
    assert shown.count('id="beside"') == 1 and "hx-swap-oob" not in shown
    (url,) = re.findall(r'hx-get="(/endpoints/[^"]*seen=[^"]+)"', shown)
    assert 'id="beside"' not in polled(url)
    story.live()
    renewed = polled(url)
    assert 'hx-swap-oob="true"' in renewed
    assert ">churn:2</a>" in renewed[renewed.index('id="beside"') :]
    (url,) = re.findall(r'hx-get="(/endpoints/[^"]*seen=[^"]+)"', renewed)
    assert 'id="beside"' not in polled(url)


def test_an_open_page_of_an_endpoint_is_told_once_its_buttons_would_be_others(
    story: Story, first_release: Release
) -> None:
    otto, path = browser(story.people["Otto"]), f"/endpoints/{first_release.endpoint_id}/"

    def polled() -> str:
        return otto.get(path, headers={"HX-Request": "true"})["X-Page-State"]

    before = polled()
    assert before == before.strip(), "the browser would find another one for ever"
    assert f'data-page-state="{before}"' in otto.get(path).content.decode()
    assert polled() == before
    stop_endpoint(first_release.endpoint, actor=story.otto)
    assert polled() != before
    assert "data-page-state" not in otto.get(f"{path}settings/").content.decode()


def test_long_texts_among_the_changes_of_a_release_wrap(
    story: Story, first_release: Release
) -> None:
    release = story.release("development", serving={"memory_mb": 2048})
    shown = browser(story.people["Otto"]).get(f"/releases/{release.pk}/").content.decode()
    row = re.search(r"<td>Memory \(MB\)\s*</td>(.*?)</tr>", shown, re.DOTALL)
    assert row is not None and row[1].count('class="num text-wrap"') == 3


def test_an_endpoint_that_was_just_started_is_starting_and_not_down(
    story: Story, first_release: Release
) -> None:
    stop_endpoint(first_release.endpoint, reason="", actor=story.otto)
    story.settle()
    start_endpoint(first_release.endpoint, actor=story.otto)
    story.run_jobs()
    assert set(healths(story, first_release)) == {"starting"}
    assert "No replica answers" not in page(story, "/endpoints/")
    with time_machine.travel(now() + timedelta(seconds=61), tick=False):
        story.node.report()
        assert set(healths(story, first_release)) == {"down"}


def test_an_endpoint_that_answers_nobody_is_down_also_when_its_node_was_just_told_something_else(
    story: Story, first_release: Release
) -> None:
    require_api_key(first_release.endpoint, required=True, actor=story.otto)
    story.run_jobs()
    assert now() - DesiredState.objects.get().signed_at < timedelta(seconds=60)
    own = Revision.objects.get(release=first_release.pk)
    story.node.phase[own.pk] = ("starting", "its only replica ended")
    story.node.step()
    assert set(healths(story, first_release)) == {"down"}


def test_an_endpoint_is_healthy_again_when_its_alert_is_over(
    story: Story, first_release: Release
) -> None:
    breach(story, first_release)
    watch_endpoints()
    MetricWindow.objects.all().delete()
    remove_objective(first_release.endpoint, if_generation=0, actor=story.otto)
    watch_endpoints()
    assert set(healths(story, first_release)) == {"healthy"}


def test_the_alerts_of_a_project_are_counted_for_nobody_outside_it(
    story: Story, first_release: Release
) -> None:
    breach(story, first_release)
    watch_endpoints()
    stranger = World("other")
    for path in ("/", "/models/", "/releases/"):
        seen = browser(stranger.people["Otto"]).get(path).content.decode()
        assert "open alert" not in seen, path
        own = browser(story.people["Otto"]).get(path).content.decode()
        assert 'title="open alerts">1<' in own, path


def test_the_menu_counts_alerts_also_before_there_is_any_release(world: World) -> None:
    finding = AlertFinding(AlertKind.JOB_FAILED, subject="x", about="x", summary="x")
    open_alert(finding, actor=SYSTEM)
    admin = factories.person("Olga", roles={"operator": None})
    assert 'title="open alerts">1<' in browser(admin).get("/models/").content.decode()
    assert (
        'title="open alerts"' not in browser(world.people["Otto"]).get("/models/").content.decode()
    )


def test_a_broken_glass_elsewhere_is_told_nobody_outside_its_project(world: World) -> None:
    break_glass.fragile(world)
    release = world.request("staging")
    break_glass.opened(world, release)
    stranger = World("other")
    said = browser(stranger.people["Otto"]).get("/models/").content.decode()
    assert "emergency release of" not in text_of(said).lower()


def test_the_story_of_a_rollback_by_a_person_names_the_person_and_says_why(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan={"keep_warm_seconds": 600})
    actions.rollback(second.endpoint, reason="worse in Lyon", actor=story.otto)
    story.settle()
    said = page(story, f"/releases/{second.pk}/")
    assert "Release 2 was rolled back by Placet, asked by Otto risk | “worse in Lyon”" in said
    said = page(story, f"/endpoints/{second.endpoint_id}/")
    line = "by Otto risk | rollout of release 1 at churn | “worse in Lyon”"
    assert "Started rolling back to release 1" in said and line in said


def test_the_story_of_an_automatic_rollback_says_that_placet_did_it_and_which_alert_was_why(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan={"keep_warm_seconds": 600})
    breach(story, second, roll_back=True)
    watch_endpoints()
    story.run_jobs("control")
    story.settle()
    assert story.state(second) == "rolled_back"
    why = "“(id): churn:2: 66.666% of 300 requests in (span) were answered without a server error"
    said = page(story, f"/releases/{second.pk}/")
    assert f"Release 2 was rolled back by Placet | {why}" in said
    said = page(story, f"/endpoints/{second.endpoint_id}/")
    line = f"by Placet | rollout of release 1 at churn | {why}"
    assert "Started rolling back to release 1" in said and line in said


def test_the_story_of_an_aborted_release_names_who_aborted_it_and_why(
    story: Story, split: Release
) -> None:
    actions.abort(story.rollout(split), reason="worse", actor=story.otto)
    story.settle()
    said = page(story, f"/releases/{split.pk}/")
    by = "The rollout of release 2 was aborted by Placet, asked by Otto risk"
    assert f"{by} | “worse”" in said
    said = page(story, f"/endpoints/{split.endpoint_id}/")
    assert "Started aborting the rollout by Otto risk" in said
    assert "“worse”" in said


def recalled(story: Story, release: Release, kind: str = "version") -> Recall:
    """Have Vera recall what a release brought."""
    what = release.version_id if kind == "version" else release.bento_id
    return recall(kind=kind, what=what, project=story.world.project, reason="x", actor=story.vera)


def test_a_recalled_version_says_so_on_its_page_in_the_list_and_where_a_release_is_asked_for(
    story: Story, first_release: Release
) -> None:
    own = f"/models/risk/churn/{first_release.version.number}/"
    form = f"/releases/new/?version={first_release.version_id}"
    before = page(story, own, who="Ada")
    assert "recalled" not in before and "Request release…" in before
    recalled(story, first_release)
    said = page(story, own, who="Ada")
    assert "It was recalled on (date) and the recall was not withdrawn: “x” (Vera risk)." in said
    assert "It can't be released" in said
    assert "Open recall" in said and "Request release…" not in said
    assert "✕ Recalled" in page(story, "/models/risk/churn/", who="Ada")
    assert "churn:1 is recalled" in page(story, form, who="Ada")
    (row,) = api(story, "/exports/versions?format=json", who="Ada")
    assert row["recalled"].startswith("It was recalled on")


def test_a_version_trained_on_recalled_data_says_so_also_when_it_came_later(world: World) -> None:
    digest = digest_of("patients")
    recall(kind="dataset", what=digest, project=world.project, reason="x", actor=world.vera)
    bento = world.bento(world.version(lineage={"datasets": [{"name": "p", "digest": digest}]}))
    world.bento(world.version())
    ada = browser(world.people["Ada"])
    said = text_of(ada.get("/models/risk/churn/1/").content.decode())
    assert "Its training data" in said and "It can't be released" in said
    assert "recalled" not in text_of(ada.get("/models/risk/churn/2/").content.decode())
    listed = text_of(ada.get("/models/risk/churn/").content.decode())
    assert listed.count("✕ Recalled") == 2, "the version, and the newest build of it"
    form = ada.get(f"/releases/new/?version={bento.version_id}").content.decode()
    assert "churn:1 is recalled" in text_of(form)


def test_a_recalled_bento_is_closed_in_the_form_and_a_new_build_of_it_is_offered(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release, kind="bento")
    path = f"/releases/new/?version={first_release.version_id}"
    assert "churn:1 is recalled" in page(story, path, who="Ada")
    story.world.bento(first_release.version)
    assert "(recalled)" in page(story, path, who="Ada")
    said = page(story, "/models/risk/churn/1/", who="Ada")
    assert "It can't be released" not in said


def test_the_recall_of_another_projects_data_is_told_of_no_version_here(world: World) -> None:
    stranger, digest = World("other"), digest_of("patients")
    recall(kind="dataset", what=digest, project=stranger.project, reason="x", actor=stranger.vera)
    world.bento(world.version(lineage={"datasets": [{"name": "p", "digest": digest}]}))
    ada = browser(world.people["Ada"])
    assert "recalled" not in text_of(ada.get("/models/risk/churn/1/").content.decode())


def test_an_endpoint_that_a_recall_stopped_is_an_alert_until_it_serves_again(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    watch_endpoints()
    alert = Alert.objects.get(kind=AlertKind.RECALL_STOPPED)
    assert (alert.state, alert.endpoint_id) == ("open", first_release.endpoint_id)
    assert "there was nothing to fall back to: clients get 503" in alert.summary
    assert "1 open alert" in page(story, "/") and "■ Stopped | Stopped by a recall" in page(
        story, "/"
    )
    start_endpoint(first_release.endpoint, actor=story.otto)
    watch_endpoints()
    assert story.state(alert) == "open", "nothing serves there"
    story.live()
    watch_endpoints()
    assert story.state(alert) == "resolved"


def test_the_alert_of_a_recall_says_that_it_was_withdrawn_wherever_it_is_read(
    story: Story, first_release: Release
) -> None:
    what = {"kind": "bento", "what": first_release.bento_id}
    found = recall(**what, reason="leaky", project=story.world.project, actor=story.otto)
    said = f"{first_release.version}, which was live, fell under a recall (bento)"
    withdrawn = "That recall was withdrawn"
    assert said in page(story, "/alerts/") and withdrawn not in page(story, "/alerts/")
    at = lift(found, reason="It was another", actor=story.vera).lifted_at
    [one] = factories.api(story.world.people["Ada"]).get("/alerts").json()["items"]
    assert one["summary"].startswith(said)
    assert one["summary"].endswith(f"503. {withdrawn} on {at:%Y-%m-%d %H:%M} UTC")
    answer = factories.api(story.world.people["Ada"]).get(f"/endpoints/{first_release.endpoint_id}")
    assert one["summary"] in answer.content.decode()
    for path in ("/", "/alerts/"):
        assert page(story, path).count(withdrawn) == 1
        assert f"clients get 503. {withdrawn} on (date) (time) UTC" in page(story, path)
    Alert.objects.update(summary=f"{first_release.version} falls under a recall (bento): 503")
    for path in ("/", "/alerts/"):
        assert f"{withdrawn} since then" in page(story, path), "one from before it was written down"
        assert "falls under" not in page(story, path)


def test_what_a_withdrawn_recall_stopped_is_said_to_be_recalled_again(
    story: Story, first_release: Release
) -> None:
    lift(recalled(story, first_release), reason="It was another", actor=story.world.vito)
    endpoint = f"/endpoints/{first_release.endpoint_id}/"
    assert "recalled again" not in page(story, endpoint) + page(story, "/alerts/")
    later = recalled(story, first_release)
    assert "withdrawn (ago) , and recalled again by Vera risk (ago) )" in page(story, endpoint)
    told = page(story, "/alerts/")
    assert "UTC. It was recalled again since" in told and "Open later recall" in told
    html = browser(story.people["Otto"]).get("/alerts/").content.decode()
    assert f'href="/recalls/{later.pk}/">Open later recall' in html
    lift(later, reason="Neither", actor=story.world.vito)
    assert "recalled again" not in page(story, endpoint) + page(story, "/alerts/")


def test_a_recall_that_is_withdrawn_is_told_by_the_alert_that_it_raised_alone(
    story: Story, first_release: Release
) -> None:
    lifting = {"reason": "It was another", "actor": story.world.vito}
    first = recalled(story, first_release)
    start_endpoint(first_release.endpoint, actor=story.otto)
    live = story.live()
    watch_endpoints()
    second = recalled(story, live)
    older, newer = Alert.objects.filter(kind=AlertKind.RECALL_STOPPED).order_by("pk")

    def told() -> tuple[int, int]:
        both = [Alert.objects.get(pk=one.pk).summary for one in (older, newer)]
        return (both[0].count("withdrawn"), both[1].count("withdrawn"))

    assert told() == (0, 0)
    lift(second, **lifting)
    assert told() == (0, 1)
    lift(first, **lifting)
    assert told() == (1, 1)
    lift(recalled(story, first_release), **lifting)
    assert told() == (1, 1), "made again, it stopped nothing"


def test_an_endpoint_that_falls_back_at_a_recall_or_was_stopped_before_is_no_such_alert(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan={"keep_warm_seconds": 600})
    recalled(story, second)
    story.settle()
    stop_endpoint(first_release.endpoint, actor=story.otto)
    recalled(story, first_release)
    assert not Alert.objects.filter(kind=AlertKind.RECALL_STOPPED).exists()


def test_who_could_send_requests_to_production_without_a_key_is_warned_of(world: World) -> None:
    world.policy("production", OPEN)
    said = {}
    for name in ("development", "production"):
        endpoint = world.live(name).endpoint
        path = f"/endpoints/{endpoint.pk}/"
        read = partial(browser(world.people["Otto"]).get, path)
        require_api_key(endpoint, required=False, actor=SYSTEM)
        said[name] = OPEN_TO_ALL in read().content.decode()
    assert said == {"development": False, "production": True}
    require_api_key(endpoint, required=True, actor=SYSTEM)
    assert OPEN_TO_ALL not in read().content.decode()


def test_many_cards_push_off_the_page_nothing_that_scans_and_tests_found(world: World) -> None:
    version = world.version()
    world.bento(version, metrics={"auc": 0.9}, verdict="malicious", result="different")
    world.measured(version, "model_signature", result="unknown", key="", files=1)
    for number in range(60):
        world.measured(version, "model_card", sha256=f"{number:064}")
    shown = text_of(browser(world.people["Rex"]).get("/models/risk/churn/1/").content.decode())
    assert all(word in shown for word in ("0.9", "Malicious", "an untrusted key"))
    assert "no model.sig came with it" not in shown


@pytest.mark.parametrize("at", ["0001-01-01", "0001-01-30T23:59", "1969-12-31"])
def test_before_there_was_anything_nothing_served(world: World, at: str) -> None:
    shown = browser(world.people["Ada"]).get(f"/deployments/?at={at}")
    assert "There was nothing yet: choose a later time" in shown.content.decode()
