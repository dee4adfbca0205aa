"""What pages say once something has ended: what was so, by whom it ended, and how to go on."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall
from apps.audit.events import declared
from apps.audit.models import Event
from apps.builds.models import Bento
from apps.governance.actions import withdraw
from apps.governance.models import Release
from apps.identity.models import RoleBinding
from apps.monitoring.models import Alert
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.serving.models import Revision
from placet.kernel.clock import now, rfc3339
from tests.support import factories
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db
WARM = {"keep_warm_seconds": 600}


def page(story: Story | World, path: str, *, who: str = "Otto") -> str:
    """Return what a page says to somebody, on one line."""
    answer = browser(story.people[who]).get(path)
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def counted(revision: Revision) -> dict[str, Any]:
    began = rfc3339(now() - timedelta(seconds=60))
    window = {"revision": revision.pk, "started_at": began, "seconds": 10.0}
    return {**window, "status_2xx": 200, "latency": {"5": 200}}


def version_path(release: Release) -> str:
    version = release.version
    return f"/models/{version.project.slug}/{version.model.name}/{version.number}/"


def recalled(story: Story, release: Release) -> None:
    said: dict[str, Any] = {"kind": "version", "what": release.version_id}
    recall(**said, reason="leaky labels", project=release.project, actor=story.otto)


def rolled_back(story: Story, reason: str = "worse in Lyon") -> Release:
    def act() -> Release:
        second = story.live(plan=WARM)
        actions.rollback(second.endpoint, reason=reason, actor=story.otto)
        story.settle()
        return second

    second = story.once(f"rolled back: {reason}", act)
    assert story.state(second) == "rolled_back"
    return second


def test_a_recalled_version_says_first_who_recalled_it_when_and_why(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    said = page(story, version_path(first_release), who="Ada")
    assert "✕ Recalled by Otto risk (ago) · registered by Alan risk" in said
    assert "the recall was not withdrawn: “leaky labels” (Otto risk). It can't be released." in said


def test_what_a_recall_stopped_says_so_and_not_that_it_failed(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    said = page(story, f"/endpoints/{first_release.endpoint_id}/revisions/")
    assert "✕ Stopped by a recall" in said and "Failed" not in said


def test_a_recalled_version_is_no_success_in_the_list_of_its_model(
    story: Story, first_release: Release
) -> None:
    path = "/models/risk/churn/"
    assert "✓ Succeeded" in page(story, path)
    recalled(story, first_release)
    said = page(story, path)
    assert said.count("✕ Recalled") == 2 and "Succeeded" not in said


def test_the_log_says_of_what_a_recall_stopped_that_it_ended_and_not_that_it_failed(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    said = page(story, f"/endpoints/{first_release.endpoint_id}/?activity=all")
    assert "Revision 1 ended" in said and "with 0%" not in said and "is failed" not in said


def test_the_log_says_once_of_what_a_recall_ended_that_it_ended_where_a_warm_one_takes_over(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    recalled(story, second)
    story.settle()
    events = Event.objects.filter(kind="revision.changed.v1").order_by("index")
    lines = [declared(one.kind).line(json.loads(one.body)["data"]) for one in events]
    assert lines.count("Revision 2 ended") == 1
    assert "Revision 1 is live with 100% of the traffic" in lines
    assert "Revision 2 failed" not in lines


def test_the_log_says_of_what_failed_by_itself_that_it_failed_and_of_what_was_aborted_not(
    story: Story, first_release: Release
) -> None:
    plan = {"strategy": "canary", "steps": [{"set_weight": 60}, {"pause": {}}]}
    broken = story.under_way(plan)
    story.node.phase[Revision.objects.get(release=broken.pk).pk] = ("failed", "killed")
    story.settle()
    story.node.phase.clear()
    aborted = story.release("development", plan=plan)
    story.settle()
    actions.abort(story.rollout(aborted), reason="odd answers", actor=story.otto)
    story.settle()
    said = page(story, f"/endpoints/{broken.endpoint_id}/?activity=all")
    assert "Revision 2 failed" in said
    assert "Revision 3 failed" not in said and "Revision 3 ended" not in said


def test_an_alert_about_a_recall_names_the_version_and_leads_to_the_recall(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    assert "churn:1, which was live, was recalled and" in page(story, "/alerts/")
    older = "What was live was recalled (rcl_01a229) and there was nothing: clients get 503"
    Alert.objects.update(summary=older)
    said = page(story, "/alerts/")
    assert "was recalled and there was nothing: clients get 503 Open recall" in said


def test_a_recall_that_counts_everywhere_is_a_link_only_for_who_may_see_it(
    story: Story,
) -> None:
    release = story.release("staging")
    story.approve(release)
    story.settle()
    olga = factories.person("Olga", {"operator": None})
    said: dict[str, Any] = {"kind": "person", "what": story.rex.id, "reason": "coerced"}
    found = recall(**said, actor=factories.actor_of(olga))
    story.people["Olga"] = olga
    said = page(story, "/", who="Ada")
    assert "What somebody had signed for it was recalled" in said
    endpoint, link = f"/endpoints/{release.endpoint_id}/", f'href="/recalls/{found.pk}/"'
    for path, told in (
        (endpoint, "The recall counts in all projects and is not visible to you."),
        (f"{endpoint}revisions/", "Stopped by a recall | of all projects, not visible to you"),
        (f"/releases/{release.pk}/", "The recall counts in all projects and is not visible"),
        ("/alerts/", "The decisions of the release of churn:1, which was live, were recalled and"),
    ):
        shown = browser(story.people["Ada"]).get(path).content.decode()
        assert found.pk not in shown, path
        assert told in page(story, path, who="Ada"), path
        shown = browser(olga).get(path).content.decode()
        assert link in shown, path
        assert "not visible to you" not in shown
    assert "recall of decisions on the release of churn:1 (by Olga" in page(
        story, endpoint, who="Olga"
    )
    assert browser(story.people["Ada"]).get(f"/recalls/{found.pk}/").status_code == 404


def test_an_alert_about_what_else_was_recalled_says_no_version_was(
    story: Story, first_release: Release
) -> None:
    bento: dict[str, Any] = {"kind": "bento", "what": first_release.bento_id}
    recall(**bento, reason="made on a laptop", project=first_release.project, actor=story.otto)
    said = page(story, "/alerts/")
    assert "churn:1, which was live, fell under a recall (bento) and" in said


def test_the_form_that_recalls_a_version_names_it(story: Story, first_release: Release) -> None:
    shown = browser(story.people["Otto"]).get(version_path(first_release)).content.decode()
    assert "/recalls/new/?kind=version&amp;what=risk%2Fchurn%3A1&amp;project=risk" in shown


def test_a_withdrawn_release_says_what_its_gates_were_when_last_checked(
    world: World,
) -> None:
    release = world.request("staging")
    assert "If any of these change" in page(world, f"/releases/{release.pk}/")
    withdraw(release, actor=world.ada)
    said = page(world, f"/releases/{release.pk}/")
    assert "Gates when last checked" in said and "Gates when it ended" not in said
    assert "Last checked (date) (time) UTC , and not again when it ended." in said
    assert "Had not passed. One reviewer was missing; 0 of 1 approved" in said
    assert "Waiting" not in said
    assert "It ended before every gate had passed." in said and "If any of these change" not in said


def test_what_is_rolling_out_is_past_what_voids_an_approval_and_what_was_live_alone_served(
    story: Story,
) -> None:
    first = story.live()
    assert "serves alone" in page(story, f"/releases/{first.pk}/")
    steps = [{"set_weight": 40}, {"pause": {}}]
    canary = story.release("development", plan={"strategy": "canary", "steps": steps})
    story.settle()
    said = page(story, f"/releases/{canary.pk}/")
    assert "It was approved for exactly these." in said and "If any of these change" not in said
    actions.promote(
        story.rollout(canary), step=story.rollout(canary).step, reason="sure", actor=story.otto
    )
    story.settle()
    said = page(story, f"/releases/{first.pk}/")
    assert "served alone" in said and "serves alone" not in said


def test_a_gate_that_would_have_passed_by_the_clock_no_longer_says_when(world: World) -> None:
    release = world.request("staging")
    waits = {"gate": "soaked", "title": "Soaked", "state": "waiting", "passed": False}
    at = now() + timedelta(hours=1)
    reason = "Live in development for 4s so far; passes at 12:00:00 UTC on 1 May"
    gate = {**waits, "reason": reason, "facts": {"seconds": 4, "passes_at": at.isoformat()}}
    withdraw(release, actor=world.ada)
    Release.objects.filter(pk=release.pk).update(gates=[gate])
    said = page(world, f"/releases/{release.pk}/")
    assert "Had not passed. Live there for (span), not long enough" in said
    assert "passes at" not in said and "so far" not in said


def test_a_revoked_release_says_for_what_it_was_approved(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    said = page(story, f"/releases/{first_release.pk}/")
    assert "Gates at its start" in said and "It was approved for exactly these." in said
    why = "Its version was recalled by Otto risk: “leaky labels”. It can no longer be deployed."
    assert why in said
    assert "withdrawn since" not in said
    alma = factories.person("Alma", roles={"approver": first_release.project})
    lift(Recall.objects.get(), reason="not leaky", actor=factories.actor_of(alma))
    said = page(story, f"/releases/{first_release.pk}/")
    assert "deployed. The recall was withdrawn since: request a new release to run it again" in said


def test_who_decides_on_what_was_rolled_back_before_reads_where_by_whom_and_why(
    story: Story, first_release: Release
) -> None:
    second = rolled_back(story)
    again = story.release("development", second.bento, plan=WARM)
    story.settle()
    other = story.live(plan=WARM)
    told = (
        "An earlier release of this version to development was rolled back by Otto risk "
        "(ago) : “worse in Lyon”"
    )
    assert told in page(story, f"/releases/{again.pk}/", who="Rita")
    for one in (first_release, second, other):
        assert "An earlier" not in page(story, f"/releases/{one.pk}/", who="Rita")


def test_who_decides_reads_that_the_version_was_recalled_and_the_recall_withdrawn_before(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    alma = factories.person("Alma", roles={"approver": first_release.project})
    lift(Recall.objects.get(), reason="not leaky", actor=factories.actor_of(alma))
    again = story.release("development", first_release.bento, plan=WARM)
    told = "Recalled before: churn:1 by Otto risk (ago) , withdrawn by Alma (ago) ."
    assert told in page(story, f"/releases/{again.pk}/", who="Rita")
    assert "Recalled before" not in page(story, f"/releases/{first_release.pk}/", who="Rita")
    Recall.objects.update(project=None)  # one that Rita may not see
    assert "Recalled before" not in page(story, f"/releases/{again.pk}/", who="Rita")
    Recall.objects.update(project=first_release.project, lifted_at=now() + timedelta(days=1))
    assert "Recalled before" not in page(story, f"/releases/{again.pk}/", who="Rita")


def test_what_was_rolled_back_and_recalled_is_not_asked_for_again(
    story: Story, first_release: Release
) -> None:
    second = rolled_back(story)
    recalled(story, second)
    said = page(story, f"/releases/{second.pk}/")
    assert "request a release of another version. What it runs is recalled." in said


def test_whoever_rolled_back_is_named_by_the_log_as_by_the_release(
    story: Story, first_release: Release
) -> None:
    second = rolled_back(story)
    by = "Release 2 was rolled back by Placet, asked by Otto risk"
    assert by in page(story, f"/releases/{second.pk}/")
    assert by in page(story, version_path(second))
    story.people["Eve"] = factories.person("Eve", roles={"auditor": second.project})
    event = Event.objects.get(kind="release.rolled_back.v1", subject=second.pk)
    assert "Placet, asked by Otto risk" in page(story, f"/audit/{event.index}/", who="Eve")


def test_after_a_rollback_the_release_says_why_and_how_to_go_on(
    story: Story, first_release: Release
) -> None:
    second = rolled_back(story)
    said = page(story, f"/releases/{second.pk}/", who="Ada")
    went = "Rolled back from revision 2 to revision 1 by Otto risk (ago) : “worse in Lyon”"
    assert f"{went}. It can't be rolled out again" in said
    assert "Open rollback Versions of churn" in said and "Request again…" in said
    shown = browser(story.people["Ada"]).get(f"/releases/{second.pk}/").content.decode()
    assert f"/rollouts/{Rollout.objects.get(kind='rollback').pk}/" in shown
    assert "Request again…" not in page(story, f"/releases/{second.pk}/", who="Vera")


def test_a_rollout_that_is_over_says_what_flowed_then_and_nothing_of_now(
    story: Story, first_release: Release
) -> None:
    rollout = story.rollout(first_release)
    path = f"/rollouts/{rollout.pk}/"
    short = page(story, path)
    assert "Its last step was too short to measure" in short
    assert "Observed" not in short.partition("| Metrics |")[0]
    at = Rollout.objects.get(pk=rollout.pk).finished_at
    assert at is not None
    Rollout.objects.filter(pk=rollout.pk).update(finished_at=at + timedelta(seconds=21))
    with time_machine.travel(at + timedelta(minutes=1), tick=False):
        said = page(story, path)
    assert "of its last step" in said and "too short" not in said
    assert "Configured" not in said and "Replicas ready" not in said and "Observed" in said


def test_who_drafts_a_policy_alone_is_told_that_nobody_else_can_publish_it(world: World) -> None:
    vera, path = browser(world.people["Vera"]), "/policies/risk/staging/"
    assert vera.post(f"{path}draft", {"source": OPEN}).status_code == 302
    assert "Another approver can publish it." in page(world, path, who="Vera")
    otto = browser(world.people["Otto"])  # who drafts, and is no approver
    assert otto.post(f"{path}draft", {"source": OPEN}).status_code == 302
    assert "An approver can publish it." in page(world, path, who="Otto")
    RoleBinding.objects.filter(person=world.people["Vito"]).delete()
    said = page(world, path, who="Vera")
    assert "and only Vera risk, who wrote it, holds it here: an access administrator" in said
    assert said.count("needs an approver who did not write") == 1, "Vera publishes what Otto wrote"


def test_a_version_that_placet_signed_is_not_signed_by_nobody(world: World) -> None:
    release = world.request("development")
    path = version_path(release)
    assert "nobody: no model.sig came with it" in page(world, path)
    Bento.objects.filter(pk=release.bento_id).update(model_signature="{}")
    said = page(world, path)
    assert "Placet, at its build: model.sig ; no signature of its author's came with it" in said


def test_the_list_and_its_export_have_an_endpoint_that_was_only_asked_for_in_vain(
    world: World,
) -> None:
    release = world.request("staging", endpoint="scoring")
    ada = browser(world.people["Ada"])

    def exported() -> str:
        return b"".join(ada.get("/api/v1/exports/endpoints?format=csv")).decode()

    assert "scoring" in page(world, "/endpoints/", who="Ada") and "scoring" in exported()
    assert "Never served" not in page(world, "/endpoints/", who="Ada")
    withdraw(release, actor=world.ada)
    for path in ("/endpoints/", "/projects/risk/", "/projects/risk/environments/staging/"):
        said = page(world, path, who="Ada")
        assert "scoring" in said and "○ Never served" in said, path
    assert "scoring" in exported()
    assert "scoring" in page(world, f"/endpoints/{release.endpoint_id}/")


def test_the_figures_of_an_endpoint_say_that_they_are_of_its_live_revision(
    story: Story, first_release: Release
) -> None:
    path = f"/endpoints/{first_release.endpoint_id}/"
    assert "No request to the live revision in the last (span)." in page(story, path)
    live = Revision.objects.get(release=first_release.pk)
    Revision.objects.update(live_at=now() - timedelta(hours=1))
    story.node.report(metrics=[counted(live)])
    story.run_jobs("control")
    assert "Live revision 1 alone: 200 requests in" in page(story, path)


def test_the_page_of_a_release_with_a_rollout_and_texts_takes_no_more_queries(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan={"keep_warm_seconds": 600}, reason="Fresher")
    actions.rollback(second.endpoint, reason="worse in Lyon", actor=story.otto)
    story.settle()
    client = browser(story.people["Otto"])
    with CaptureQueriesContext(connection) as caught:
        page = text_of(client.get(f"/releases/{second.pk}/").content.decode())
    assert "worse in Lyon" in page
    assert len(caught) <= 12


def test_an_endpoint_that_a_rejected_release_left_says_that_it_never_served(world: World) -> None:
    """And who may delete it does so from there; a release on its way is said to be that."""
    release = world.request("production", endpoint="clinic")
    path = f"/endpoints/{release.endpoint_id}/"
    waits = page(world, path, who="Ada")
    assert "Nothing served here yet: release 1 waits for approval." in waits
    assert "Delete endpoint" not in page(world, path, who="Otto")
    world.decide(release, world.vera, verdict="reject")
    said = page(world, path, who="Ada")
    assert "○ Never served" in said
    assert "Never served: release 1 was rejected. Clients get 503." in said
    assert "Delete endpoint" not in said
    assert "No API key required" not in said
    assert (
        f'href="{path}"'
        in browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content.decode()
    )
    assert "Delete endpoint…" in page(world, path, who="Otto")
    otto = browser(world.people["Otto"])
    generation = release.endpoint.generation
    otto.post(f"{path}delete", {"generation": generation})
    assert "It was deleted: its address leads to nothing." in page(world, path, who="Otto")
    assert "shows how programs call it" not in page(world, f"{path}test/", who="Otto")


@pytest.mark.parametrize(
    ("ends", "said"),
    [("withdrawn", "release 1 was withdrawn."), ("expired", "release 1 expired.")],
)
def test_an_endpoint_that_was_asked_for_in_vain_says_what_became_of_the_release(
    world: World, ends: str, said: str
) -> None:
    release = world.request("staging")
    Release.objects.filter(pk=release.pk).update(state=ends)
    assert said in page(world, f"/endpoints/{release.endpoint_id}/")
