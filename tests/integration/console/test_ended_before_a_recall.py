"""What had ended before a recall reached it, on every page the same."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall
from apps.audit.events import declared
from apps.audit.models import Event
from apps.governance.models import Release
from apps.rollouts import actions
from tests.support import factories
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db


def page(story: Story, path: str) -> str:
    client = factories.browser(story.people["Otto"])
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(path)
    assert len(caught) <= 12
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def test_what_had_ended_before_a_recall_is_said_to_have_ended_so_everywhere(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan={"keep_warm_seconds": 600})
    actions.rollback(second.endpoint, reason="worse in Lyon", actor=story.otto)
    story.settle()
    again = story.live("development", second.bento, endpoint="again")
    recall(
        kind="version",
        what=second.version_id,
        reason="leaky labels",
        project=second.project,
        actor=story.otto,
    )
    row = Recall.objects.get()
    assert (story.state(second), story.state(again)) == ("rolled_back", "revoked")
    said = page(story, f"/recalls/{row.pk}/")
    assert "Already rolled back" in said
    (event,) = Event.objects.filter(kind="recall.created.v1")
    line = declared(event.kind).line(json.loads(event.body)["data"])
    assert line == "Recalled a version: 1 release revoked at 1 endpoint"
    assert Event.objects.filter(kind="release.revoked.v1").count() == 1
    client = factories.api(story.people["Otto"])
    effects = client.get(f"/recalls/{row.pk}/effects").json()["items"]
    ends = {effect["release_number"]: effect["release_state"] for effect in effects}
    assert ends == {second.number: "rolled_back", again.number: "revoked"}
    path = f"/releases/{second.pk}/"
    assert "What it runs is recalled." in page(story, path)
    lift(row, reason="labels were right", actor=story.vera)
    said = page(story, path)
    assert "What it ran was recalled (ago) , which was withdrawn (ago) ." in said
    assert "or of this one again" in said


def test_a_second_recall_says_what_it_revoked_and_what_another_had_revoked_before(
    story: Story, first_release: Release
) -> None:
    what = {"kind": "version", "what": first_release.version_id, "project": first_release.project}
    before = recall(**what, reason="leaky labels", actor=story.otto)
    lift(before, reason="labels were right", actor=story.vera)
    again = story.live("development", first_release.bento, endpoint="again")
    client, named = factories.api(story.people["Otto"]), f"{first_release.project.slug}/"
    named += str(first_release.version)
    foreseen = client.get(f"/recalls/preview?kind=version&what={named}").json()["releases"]
    assert {
        one["release"]: (one["action"], one["outcome"], one["revoked_by"]) for one in foreseen
    } == {
        first_release.pk: (None, "already revoked", before.pk),
        again.pk: ("stopped", "stop the endpoint", None),
    }
    said = page(story, f"/recalls/new/?kind=version&what={named}")
    assert "1 release at 1 endpoint affected." in said and "1 release had ended before." in said
    assert "already revoked | by the recall of" in said
    row = recall(**what, reason="leaky after all", actor=story.otto)
    said = page(story, f"/recalls/{row.pk}/")
    assert "Already revoked | by the recall of" in said
    assert "Revoked, endpoint stopped" in said and "Revoked (was not running)" not in said
    effects = client.get(f"/recalls/{row.pk}/effects").json()["items"]
    exported = client.get(f"/exports/recalls?recall={row.pk}&format=json")
    rows = json.loads(b"".join(exported))
    for told in (effects, rows):
        assert {one["outcome"]: (one["action"], one["revoked_by"]) for one in told} == {
            "Already revoked": (None, before.pk),
            "Revoked, endpoint stopped": ("stopped", row.pk),
        }


def test_the_page_of_a_revoked_release_says_who_recalled_it_and_why_to_who_may_see_that(
    story: Story, first_release: Release
) -> None:
    what = {"kind": "version", "what": first_release.version_id, "project": first_release.project}
    waits = story.release("development", first_release.bento, endpoint="again")
    before = recall(**what, reason="leaky labels", actor=story.otto)
    path = f"/releases/{first_release.pk}/"
    said = page(story, path)
    assert "Its version was recalled by Otto risk: “leaky labels”." in said
    assert said.count("Open recall") == 1
    told = "is revoked by a recall: its version was recalled by Otto risk, “leaky labels”"
    assert told in said and "“Recalled: version”" not in said
    assert "never started" in page(story, f"/releases/{waits.pk}/")
    lift(before, reason="labels were right", actor=story.vera)
    recall(**what, reason="leaky after all", actor=story.otto)
    said = page(story, path)
    assert (said.count("Open recall"), said.count("Open later recall")) == (1, 1)
    assert "“leaky labels”" in said and "leaky after all" not in said


def test_a_release_that_a_rollback_put_back_is_not_said_to_have_been_rolled_back(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan={"keep_warm_seconds": 600})
    actions.rollback(second.endpoint, reason="worse in Lyon", actor=story.otto)
    path = f"/releases/{first_release.pk}/"
    assert "Rollback from revision 2 to this one started by Otto" in page(story, path)
    story.settle()
    assert story.state(first_release) == "live"
    said = page(story, path)
    assert "Put back in place of revision 2 by Otto risk (ago) : “worse in Lyon”" in said
    assert "Rolled back by" not in said
