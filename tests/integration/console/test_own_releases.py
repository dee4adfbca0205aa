"""What people read of their own: what became of their requests, and what they decided."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import recall
from apps.governance.actions import withdraw
from apps.governance.models import Release
from apps.rollouts.actions import abort, pause, retry
from apps.rollouts.models import Rollout
from apps.rollouts.states import PAUSED_AT
from placet.kernel.clock import now, rfc3339
from tests.support.factories import api, browser
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db


def page(world: World, name: str, path: str) -> str:
    """Return a page as somebody of the world reads it."""
    return " ".join(browser(world.people[name]).get(path).content.decode().split())


def own(world: World, name: str, path: str) -> str:
    """Return the card of one's own requests, '' where there is none."""
    shown = page(world, name, path)
    return shown.split('id="requests"')[1].split("</table>")[0] if 'id="requests"' in shown else ""


@pytest.mark.parametrize("path", ["/", "/inbox/"])
def test_who_asked_reads_that_it_was_rejected_by_whom_and_why(world: World, path: str) -> None:
    release = world.request("staging")
    assert "Waiting for a reviewer" in own(world, "Ada", path)
    world.decide(release, world.rex, "reject", comment="The <b>data</b> is stale\nand old")
    shown = own(world, "Ada", path)
    assert "Rejected" in shown
    assert "by Rex risk" in shown
    assert "The &lt;b&gt;data&lt;/b&gt; is stale" in shown
    assert ("and old" in shown) == (path == "/inbox/")  # home has the first line
    assert own(world, "Rex", path) == ""  # it is no request of theirs


@pytest.mark.parametrize("path", ["/", "/inbox/"])
def test_who_approved_reads_what_a_recall_ended_as_who_asked_does(world: World, path: str) -> None:
    release = world.request("staging")
    other = world.request("staging", release.bento, endpoint="other")
    world.decide(release, world.rex)
    assert own(world, "Rex", path) == ""
    what = {"kind": "version", "what": release.version_id, "project": world.project}
    recall(**what, reason="leaky labels", actor=world.vera)
    for name, part in (("Ada", ""), ("Rex", "You approved it")):
        shown = own(world, name, path)
        assert f"/releases/{release.pk}/" in shown and "leaky labels" in shown
        assert "by Vera risk" in shown and part in shown
    assert "Your requests, approvals and rollouts" in page(world, "Rex", path)
    assert f"/releases/{other.pk}/" not in own(world, "Rex", path), "Rex decided nothing on it"
    assert own(world, "Rita", path) == ""


def test_home_and_inbox_stay_within_twelve_queries_with_a_rejection(world: World) -> None:
    world.live()
    for number in range(3):
        rejected = world.request("staging", endpoint=f"e{number}")
        world.decide(rejected, world.rex, "reject")
    client = browser(world.people["Ada"])
    for path in ("/", "/inbox/"):
        with CaptureQueriesContext(connection) as caught:
            said = client.get(path).content.decode().count("Not like this")
        assert said == 3
        assert len(caught) <= 12


def test_an_outcome_is_shown_for_two_weeks_and_what_one_withdrew_not_at_all(world: World) -> None:
    rejected = world.request("staging")
    world.decide(rejected, world.rex, "reject")
    taken_back = world.request("staging")
    withdraw(taken_back, actor=world.ada)
    shown = own(world, "Ada", "/inbox/")
    assert f"/releases/{rejected.pk}/" in shown
    assert f"/releases/{taken_back.pk}/" not in shown
    Release.objects.filter(pk=rejected.pk).update(ended_at=now() - timedelta(days=15))
    assert own(world, "Ada", "/inbox/") == ""


def test_the_list_is_narrowed_to_ones_own_and_to_an_environment(world: World) -> None:
    asked = world.request("staging")
    other = world.request("staging", endpoint="other", actor=world.alan)
    elsewhere = world.request("development", endpoint="third", actor=world.alan)
    world.decide(asked, world.rex)

    def listed(name: str, query: str) -> list[bool]:
        rows = page(world, name, f"/releases/?{query}").split("All releases")[1]
        return [f"/releases/{row.pk}/" in rows for row in (asked, other, elsewhere)]

    assert listed("Ada", "") == [True, True, True]
    assert listed("Ada", "who=requested") == [True, False, False]
    assert listed("Rex", "who=decided") == [True, False, False]
    assert listed("Ada", "environment=staging") == [True, True, False]
    assert listed("Ada", "environment=production&who=requested") == [False, False, False]
    assert "Nothing was listed" in page(world, "Ada", "/releases/?who=nobody")
    assert "you approved" in page(world, "Rex", "/releases/?who=decided")
    assert "you approved" not in page(world, "Rita", "/releases/")


def test_an_export_is_narrowed_as_the_list_is(world: World) -> None:
    world.request("staging")
    world.request("staging", endpoint="other", actor=world.alan)
    client = browser(world.people["Ada"])
    path = "/api/v1/exports/releases?format=json"

    def count(who: str) -> int:
        answer = client.get(f"{path}&who={who}")
        return len(json.loads(b"".join(answer.streaming_content)))  # type: ignore[attr-defined]

    assert (count(""), count("requested"), count("decided")) == (2, 1, 0)
    assert client.get(f"{path}&who=me").status_code == 400


def test_lists_name_who_asked_why_and_the_gate_that_failed(world: World) -> None:
    gates = "[{gate: scan, allow: [safe]}, {gate: approvals, role: reviewer, count: 1}]"
    world.policy("staging", f"version: 1\ngates: {gates}\n")
    bento = world.bento(world.version(), verdict="code-carrying")
    world.request("staging", bento, reason="Fresher data")
    for path in ("/", "/inbox/", "/releases/"):
        shown = page(world, "Rex", path)
        assert "Failed: Scanned" in shown
        assert "by Ada risk" in shown
        assert "Fresher data" in shown
    assert "Decided by you" in page(world, "Rex", "/inbox/")
    assert "?who=decided" not in page(world, "Ada", "/inbox/")


def test_lists_do_not_say_that_a_release_waits_whose_gate_has_failed(world: World) -> None:
    waits = '<span class="state wait"><span aria-hidden="true">◷</span>Waiting</span>'
    other = world.request("staging", endpoint="other")
    assert all(waits in page(world, "Ada", path) for path in ("/", "/releases/"))
    world.decide(other, world.rex, "reject", comment="no")
    world.policy("staging", "version: 1\ngates:\n  - {gate: build, smoke_test: equal}\n")
    world.request("staging", world.bento(world.version(), result="different"))
    for path in ("/", "/releases/"):
        shown = page(world, "Ada", path)
        assert "Failed: " in shown and waits not in shown


def test_what_failed_at_a_gate_is_found_by_that_word_and_not_among_what_waits(
    world: World,
) -> None:
    waits = world.request("staging", endpoint="other")
    world.policy("development", "version: 1\ngates:\n  - {gate: build, smoke_test: equal}\n")
    failed = world.request("development", world.bento(world.version(), result="different"))

    def listed(state: str) -> list[str]:
        shown = page(world, "Ada", f"/releases/?state={state}")
        rows = (waits.pk, failed.pk)
        return [pk for pk in rows if f'href="/releases/{pk}/"' in shown.split("All releases")[1]]

    assert (listed("failed"), listed("requested")) == ([failed.pk], [waits.pk])
    exported = api(world.people["Ada"]).get("/exports/releases?format=json")
    states = {row["id"]: row["state"] for row in json.loads(b"".join(exported.streaming_content))}
    assert states == {waits.pk: "requested", failed.pk: "failed"}


def test_an_approved_release_says_in_lists_who_starts_it(world: World) -> None:
    by_hand = world.request("staging", plan={"preset": "replace", "start": "manual"})
    world.decide(by_hand, world.rex)
    itself = world.request("staging", endpoint="other")
    world.decide(itself, world.rex)
    for path in ("/", "/releases/", f"/releases/{by_hand.pk}/"):
        assert page(world, "Ada", path).count("Waits for an operator to start it") == 1
    assert "Waits for an operator" not in page(world, "Ada", f"/releases/{itself.pk}/")


@pytest.mark.parametrize("path", ["/", "/inbox/"])
def test_who_asked_reads_since_when_the_present_rollout_runs_and_who_paused_it(
    story: Story, first_release: Release, path: str
) -> None:
    release = story.under_way({"strategy": "canary", "steps": [{"set_weight": 1}, {"pause": {}}]})
    assert "Paused by its plan: step 2 waits" in own(story.world, "Ada", path)
    rollout = story.rollout(release)
    abort(rollout, reason="Once more", actor=story.otto)
    story.settle()
    again = retry(rollout, reason="Now it is mended", actor=story.otto)
    began = now() - timedelta(minutes=3)
    Rollout.objects.filter(pk=again.pk).update(created_at=began)
    Rollout.objects.filter(pk=rollout.pk).update(created_at=began - timedelta(minutes=4))
    Release.objects.filter(pk=release.pk).update(approved_at=began - timedelta(minutes=5))
    assert "3 min ago" in own(story.world, "Ada", path)
    pause(again, reason="A moment", actor=story.otto)
    again.refresh_from_db()
    times = again.phase_times | {PAUSED_AT: rfc3339(now() - timedelta(minutes=2))}
    Rollout.objects.filter(pk=again.pk).update(phase_times=times)
    shown = own(story.world, "Ada", path)
    assert "Paused by Otto risk" in shown
    assert "2 min ago" in shown and "3 min ago" not in shown
    tasks = api(story.people["Otto"]).get("/inbox/tasks").json()["items"]
    assert [t["since"] for t in tasks if t["id"] == again.pk] == [times[PAUSED_AT]]
    client = browser(story.people["Ada"])
    with CaptureQueriesContext(connection) as caught:
        client.get(path)
    assert len(caught) <= 12


def test_a_reviewer_is_not_offered_to_approve_where_the_policy_asks_for_none(world: World) -> None:
    world.policy("staging", "version: 1\ngates:\n  - {gate: approvals, role: approver, count: 1}\n")
    release = world.request("staging")
    shown = page(world, "Rex", f"/releases/{release.pk}/")
    assert 'data-dialog="review"' in shown and 'value="reject"' in shown
    assert 'value="approve"' not in shown
    shown = page(world, "Vera", f"/releases/{release.pk}/")
    assert "You sign as <b>approver</b>" in shown and 'value="approve"' in shown


def test_the_page_of_a_release_says_who_alone_can_withdraw_it(world: World) -> None:
    release, only = world.request("staging"), "only who requested it can withdraw it"
    path = f"/releases/{release.pk}/"
    assert only not in page(world, "Ada", path)
    assert only in page(world, "Rex", path)
    withdraw(release, actor=world.ada)
    assert only not in page(world, "Rex", path)
