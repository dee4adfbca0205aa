"""Pages of deployments say what was and what is: of what was recalled, rolled back, stopped."""

import json
import re
from html import unescape
from typing import Any

import pytest

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall
from apps.governance.models import Release
from apps.identity.models import User
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.serving.actions import stop_endpoint
from apps.serving.models import Revision
from placet.kernel.clock import now, rfc3339
from tests.support import factories
from tests.support.factories import api, browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db
WARM = {"keep_warm_seconds": 600}


def page(story: Story, path: str, *, who: str = "Otto") -> str:
    """Return what a page says to somebody, on one line."""
    answer = browser(story.people[who]).get(path)
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def recalled(story: Story, release: Release) -> None:
    """Have Otto recall the version that a release brought."""
    what: dict[str, Any] = {"kind": "version", "what": release.version_id}
    recall(**what, reason="leaky labels", project=release.project, actor=story.otto)


def test_what_a_recall_took_off_says_so_also_after_the_endpoint_fell_back(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    recalled(story, second)
    story.settle()
    ended = Revision.objects.get(release=second.pk)
    assert ended.state == "failed" and ended.ended_at is not None
    path = f"/endpoints/{second.endpoint_id}/revisions/"
    said = page(story, path)
    assert "✕ Stopped by a recall | by Otto risk (ago) : “leaky labels”" in said
    assert "Failed" not in said
    Revision.objects.filter(pk=ended.pk).update(ended_at=None)  # as it was written down once
    assert "Failed" not in page(story, path)


def test_who_serves_again_after_another_did_has_served_with_gaps(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    path = f"/endpoints/{second.endpoint_id}/revisions/"
    assert "with gaps" not in page(story, path)
    actions.rollback(second.endpoint, reason="worse", actor=story.otto)
    story.settle()
    said = page(story, path)
    assert "Odd revisions are strong in colour, even ones faint" in said
    assert "first (ago) , still (with gaps)" in said and said.count("with gaps") == 2
    client = browser(story.people["Otto"])
    for place in ("/", path):
        plain = re.sub(r"<[^>]+>", "", client.get(place).content.decode())
        assert not re.findall(r".*\s+,.*", plain), "a space before a comma"


def test_a_rollout_that_a_recall_began_says_which_side_of_it_was_recalled_and_by_whom(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    recalled(story, second)
    story.settle()
    back = Rollout.objects.get(endpoint=second.endpoint_id, kind="rollback")
    for path in (
        f"/endpoints/{second.endpoint_id}/",
        f"/rollouts/{back.pk}/",
        f"/releases/{first_release.pk}/",
    ):
        said = page(story, path)
        assert f"{second.version} was recalled ( Otto risk (ago) ). Open recall" in said
        assert "Recalled: version" not in said


def test_a_rollout_that_a_hidden_recall_began_says_of_which_side_alone(story: Story) -> None:
    story.live("staging", plan=WARM)
    second = story.release("staging", plan=WARM)
    story.approve(second, by="Rita")
    story.settle()
    olga = factories.person("Olga", {"operator": None})
    what: dict[str, Any] = {"kind": "person", "what": story.rita.id}
    recall(**what, reason="coerced", actor=factories.actor_of(olga))
    story.settle()
    back = Rollout.objects.get(endpoint=second.endpoint_id, kind="rollback")
    told = f"The decisions of the release of {second.version} were recalled"
    seen = browser(olga).get(f"/rollouts/{back.pk}/").content.decode()
    assert f"{told} ( Olga (ago) ). Open recall" in text_of(seen)
    shown = page(story, f"/rollouts/{back.pk}/", who="Ada")
    assert told in shown and "Olga" not in shown and "Open recall" not in shown


def test_who_approved_what_served_is_said_to_be_recalled_since_while_that_recall_stands(
    story: Story,
) -> None:
    release = story.release("staging")
    story.approve(release, by="Rita")
    story.settle()
    at, path = rfc3339(now()), f"/releases/{release.pk}/"
    then = f"/deployments/?at={at}"

    def marked() -> list[int]:
        return [page(story, one).count("✕ recalled since") for one in (path, then)]

    assert marked() == [0, 0] and "Rita risk" in page(story, then)
    what: dict[str, Any] = {"kind": "person", "what": story.rita.id}
    oda = factories.actor_of(factories.person("Oda", {"operator": None}))
    found = recall(**what, reason="coerced", actor=oda)
    story.settle()
    assert marked() == [1, 1]
    said = page(story, path)
    assert "Recalled since: Rita risk" in said, "beside the gate that it had passed"
    assert said.count("recalled since") == 2, "the print says it too"
    told = api(story.people["Otto"]).get(f"/deployments?at={at}").json()["items"]
    (approval,) = told[0]["revisions"][0]["approvals"]
    assert (approval["name"], approval["recalled_since"]) == ("Rita risk", True)
    lift(found, reason="It was not so", actor=factories.actor_of(everywhere("Vesta")))
    assert marked() == [0, 0]


def everywhere(name: str) -> User:
    """Return an approver of all projects."""
    return factories.person(name, {"approver": None})


def test_the_revisions_are_read_in_twelve_queries_where_a_recall_stopped_one(
    story: Story, django_assert_max_num_queries: Any
) -> None:
    release = story.release("staging")
    story.approve(release)
    story.settle()
    recalled(story, release)
    client = factories.browser(factories.person("Vi", {"viewer": story.world.project}))
    path = f"/endpoints/{release.endpoint_id}/revisions/"
    client.get(path)
    with django_assert_max_num_queries(12):
        said = text_of(client.get(path).content.decode())
    assert "by Otto risk" in said and "Rex risk" in said


def test_who_may_not_see_a_recall_is_not_told_by_whom_and_why(story: Story) -> None:
    release = story.release("staging")
    story.approve(release)
    story.settle()
    olga = factories.person("Olga", {"operator": None})
    said: dict[str, Any] = {"kind": "person", "what": story.rex.id, "reason": "coerced"}
    recall(**said, actor=factories.actor_of(olga))
    path = f"/endpoints/{release.endpoint_id}/revisions/"
    shown = page(story, path, who="Ada")
    assert "Stopped by a recall | of all projects, not visible to you" in shown
    assert "Olga" not in shown and "coerced" not in shown
    story.people["Olga"] = olga
    assert "by Olga (ago) : “coerced”" in page(story, path, who="Olga")


def test_the_activity_names_who_made_a_recall_only_to_who_may_see_it(story: Story) -> None:
    recalled(story, story.live("staging"))
    story.approve(story.release("staging"))
    story.settle()
    olga = story.people["Olga"] = factories.person("Olga", {"operator": None})
    said: dict[str, Any] = {"kind": "person", "what": story.rex.id, "reason": "coerced"}
    recall(**said, actor=factories.actor_of(olga))
    path, reached = "/projects/risk/activity/", "of the endpoint by"
    shown = page(story, path, who="Ada")
    assert f"{reached} somebody who is not visible to you | churn in staging" in shown
    assert "Olga" not in shown
    assert f"{reached} Otto risk | churn in staging" in shown, "whose recall is of the project"
    assert f"{reached} Olga" in page(story, path, who="Olga")
    story.people["Eve"] = factories.person("Eve", {"auditor": story.world.project})
    assert f"{reached} Olga" in page(story, path, who="Eve"), "the log names them to its readers"


def test_the_revisions_say_who_rolled_one_back_who_aborted_one_and_why(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    actions.rollback(second.endpoint, reason="worse", actor=story.otto)
    story.settle()
    third = story.under_way({"strategy": "canary", "steps": [{"set_weight": 60}, {"pause": {}}]})
    actions.abort(story.rollout(third), reason="odd answers", actor=story.otto)
    story.settle()
    said = page(story, f"/endpoints/{second.endpoint_id}/revisions/")
    assert "Rolled back by Otto risk (ago) : “worse”" in said
    assert "Aborted by Otto risk (ago) : “odd answers”" in said
    assert said.count("“") == 2 * 2, "nothing ended the revision that is live"


def test_the_revisions_of_a_stopped_endpoint_say_who_stopped_it_and_why(
    story: Story, first_release: Release
) -> None:
    stop_endpoint(first_release.endpoint, reason="maintenance", actor=story.otto)
    said = page(story, f"/endpoints/{first_release.endpoint_id}/revisions/")
    assert said.count("■ Stopped | Stopped by Otto risk (ago) : “maintenance”") == 2, (
        "on a phone, elsewhere"
    )


def test_a_revision_that_came_back_says_when_it_served_first_and_not_that_it_always_did(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    actions.rollback(second.endpoint, reason="worse", actor=story.otto)
    story.settle()
    said = page(story, f"/endpoints/{second.endpoint_id}/revisions/")
    assert "first (ago) , still" in said and "first (ago) , last (ago)" in said
    assert "since (ago)" not in said


def test_the_page_of_a_rollback_calls_nothing_new_that_comes_back(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    actions.rollback(second.endpoint, reason="worse", actor=story.otto)
    story.settle()
    went = Rollout.objects.get(kind="rollback")
    said = page(story, f"/rollouts/{went.pk}/")
    assert "Back to churn:1 from churn:2 at churn" in said
    assert "1 former | 2 newer" in said and "Share of the former revision" in said
    assert "Went live by Placet" in said and "Began to shift all requests by Placet" in said
    for word in ("new revision", "old revision", "replaces"):
        assert word not in said
    said = page(story, f"/releases/{first_release.pk}/")
    assert "replicas of the former revision" in said and "the newer revision was stopped" in said
    assert "new replicas" not in said and "old revision" not in said


def test_a_version_tells_that_it_was_recalled_and_that_the_recall_was_withdrawn(
    story: Story, first_release: Release
) -> None:
    version = first_release.version
    path = f"/models/risk/{version.model.name}/{version.number}/"
    recalled(story, first_release)
    assert "Recalled a version: 1 release revoked" in page(story, path)
    alma = factories.person("Alma", roles={"approver": first_release.project})
    lift(Recall.objects.get(), reason="not leaky", actor=factories.actor_of(alma))
    said = page(story, path)
    assert "Recalled a version: 1 release revoked at 1 endpoint by Otto risk" in said
    assert "Withdrew the recall of a version by Alma" in said
    assert "Recalled by Otto risk (ago) , withdrawn by Alma (ago)" in said
    recalled(story, first_release)
    assert "withdrawn by Alma" not in page(story, path), "the newer one stands"


def test_what_a_recall_revoked_is_called_revoked_on_its_page_too(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    recalled(story, second)
    said = page(story, f"/recalls/{Recall.objects.get().pk}/")
    assert "Revoked, endpoint fell back" in said and "Rolled back" not in said
    assert "✕ Revoked" in page(story, f"/releases/{second.pk}/")


def test_a_release_that_had_been_rolled_back_is_called_so_on_the_page_of_a_recall_too(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    actions.rollback(second.endpoint, actor=story.otto, reason="slow")
    story.settle()
    recalled(story, second)
    said = page(story, f"/recalls/{Recall.objects.get().pk}/")
    assert "Rolled back" in page(story, f"/releases/{second.pk}/")
    assert "Already rolled back" in said and "Revoked" not in said


def test_the_receipts_of_a_recall_come_to_its_page_without_a_reload(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    story.run_jobs("control")
    path, otto = f"/recalls/{Recall.objects.get().pk}/", browser(story.people["Otto"])
    assert f'hx-get="{path}" hx-trigger="every 3s"' in otto.get(path).content.decode()
    story.node.confirm()
    renewed = otto.get(path, headers={"HX-Request": "true"}).content.decode()
    assert "nothing of it was running at" in renewed
    assert "every 3s" not in renewed, "every node has answered"
    assert "every 10s" in renewed, "it may be withdrawn"


def test_the_page_of_a_recall_that_ended_nothing_waits_for_what_its_targets_sign(
    story: Story, first_release: Release
) -> None:
    other = story.world.bento(story.world.version("other"))
    what: dict[str, Any] = {"kind": "bento", "what": other.pk, "reason": "x"}
    found = recall(**what, project=story.world.project, actor=story.otto)
    story.run_jobs("control")
    path, otto = f"/recalls/{found.pk}/", browser(story.people["Otto"])
    assert found.effects.count() == 0
    assert "every 3s" in otto.get(path).content.decode().split('id="answers"')[1].split(">")[0]
    story.node.confirm()
    assert "every 10s" in otto.get(path).content.decode().split('id="answers"')[1].split(">")[0]


def test_what_is_exported_from_the_page_of_a_recall_is_what_that_recall_did(
    story: Story, first_release: Release
) -> None:
    second = story.live(plan=WARM)
    for release in (first_release, second):
        recalled(story, release)
        story.settle()
    found = Recall.objects.order_by("pk").last()
    assert found is not None
    otto = browser(story.people["Otto"])
    shown = otto.get(f"/recalls/{found.pk}/").content.decode()
    (url,) = re.findall(r'href="(/api/v1/exports/recalls[^"]*format=json[^"]*)"', shown)
    rows = json.loads(b"".join(otto.get(unescape(url))))
    assert {row["recall"] for row in rows} == {found.pk}
