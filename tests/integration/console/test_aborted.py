"""What is said of rollouts that people or a recall aborted, and that a recall would abort."""

from datetime import timedelta
from typing import Any

import pytest

from apps.assurance.actions import recall
from apps.assurance.models import Recall
from apps.governance.models import Release
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.serving.models import Revision
from placet.kernel.clock import now
from placet_client.cli import main
from tests.support import factories
from tests.support.commands import become
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = {"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]}


def page(story: Story, path: str, who: str = "Otto") -> str:
    answer = factories.browser(story.people[who]).get(path)
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def test_a_recall_says_which_rollout_of_another_release_it_aborts_and_then_that_it_did(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    live = story.live(plan={"keep_warm_seconds": 600})
    going = story.under_way(CANARY)
    Rollout.objects.filter(release=going).update(started_by=story.otto.id)
    named = f"{live.project.slug}/{live.version}"
    other = f"release {going.number} ({going.version})"
    become(story.world, "Otto", live_server.url, monkeypatch)
    assert main(["recall", "preview", "version", named]) == 0
    told = capsys.readouterr().out
    assert f"stop the endpoint, abort the rollout of {other}" in told
    assert "A recall affects 1 Bento and 1 release. It aborts 1 rollout of another release." in told
    said = page(story, f"/recalls/new/?kind=version&what={named}")
    assert f"stop the endpoint, abort the rollout of {other}" in said
    assert "1 rollout of another release would be aborted." in said

    recall(
        kind="version",
        what=live.version_id,
        reason="leaky",
        project=live.project,
        actor=story.vera,
    )
    row, rollout = Recall.objects.get(), story.rollout(going)
    assert (story.state(going), rollout.state) == ("aborted", "aborted")
    done = f"Revoked, endpoint stopped, rollout of {other} aborted"
    assert done in page(story, f"/recalls/{row.pk}/")
    assert main(["recall", "effects", row.pk]) == 0
    assert done in capsys.readouterr().out
    client = factories.api(story.people["Otto"])
    assert "You started its rollout" in page(story, "/inbox/"), "and is told what became of it"
    (effect,) = client.get(f"/recalls/{row.pk}/effects").json()["items"]
    assert (effect["release"], effect["aborted_rollout"]) == (live.pk, rollout.pk)
    table: Any = client.get(f"/exports/recalls?recall={row.pk}")
    assert done in b"".join(table.streaming_content).decode()


def test_a_rollout_that_somebody_had_aborted_before_is_not_the_recalls(story: Story) -> None:
    live = story.live()
    going = story.under_way(CANARY)
    actions.abort(story.rollout(going), reason="worse in Lyon", actor=story.otto)
    recall(
        kind="version",
        what=live.version_id,
        reason="leaky",
        project=live.project,
        actor=story.vera,
    )
    said = page(story, f"/recalls/{Recall.objects.get().pk}/")
    assert "Revoked, endpoint stopped" in said and "aborted" not in said


def test_a_release_that_the_recall_reaches_itself_is_not_told_twice(story: Story) -> None:
    live = story.live()
    going = story.release("development", live.bento, plan=CANARY)
    story.settle()
    client = factories.api(story.people["Otto"])
    named = f"{live.project.slug}/{live.version}"
    found = client.get(f"/recalls/preview?kind=version&what={named}").json()["releases"]
    ends = {one["release"]: one["aborted_rollout"] for one in found}
    assert ends == {live.pk: None, going.pk: None}


def test_a_revision_whose_rollout_was_aborted_is_not_said_to_have_failed(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    story.live()
    going = story.under_way(CANARY)
    rollout = story.rollout(going)
    actions.abort(rollout, reason="worse in Lyon", actor=story.otto)
    story.settle()
    Revision.objects.filter(pk=rollout.to_revision_id).update(state="failed")  # as it broke then
    said = page(story, f"/endpoints/{going.endpoint_id}/revisions/")
    assert "✕ Aborted | Aborted by Otto" in said and "Failed" not in said, said
    become(story.world, "Otto", live_server.url, monkeypatch)
    assert main(["endpoint", "revisions", going.endpoint_id]) == 0
    told = capsys.readouterr().out
    assert "  aborted  " in told and "failed" not in told
    client = factories.api(story.people["Otto"])
    rows = client.get(f"/endpoints/{going.endpoint_id}/revisions").json()["items"]
    assert [(row["number"], row["aborted"]) for row in rows] == [(2, True), (1, False)]


def test_a_revision_that_failed_by_itself_is_said_to_have_failed(story: Story) -> None:
    story.live()
    going = story.release("development")
    story.run_jobs("control")
    story.node.pull()
    story.node.phase[story.rollout(going).to_revision_id] = ("failed", "out of memory")
    story.node.report()
    story.run_jobs("control")
    assert story.state(going) == "failed"
    said = page(story, f"/endpoints/{going.endpoint_id}/revisions/")
    assert "Failed" in said and "Aborted" not in said
    client = factories.api(story.people["Otto"])
    rows = client.get(f"/endpoints/{going.endpoint_id}/revisions").json()["items"]
    assert [row["aborted"] for row in rows] == [False, False]


def test_who_requested_what_a_recall_aborted_reads_who_can_retry_it_until_when(
    story: Story,
) -> None:
    story.live(plan={"keep_warm_seconds": 600})
    live = story.live(plan={"keep_warm_seconds": 600})
    going = story.under_way(CANARY)
    what = {"kind": "version", "what": live.version_id, "project": live.project}
    recall(**what, reason="leaky", actor=story.vera)
    story.settle()
    told = "An operator can retry it until it expires, if its endpoint runs"
    assert told in page(story, "/", "Ada")
    path = f"/releases/{going.pk}/"
    said = page(story, path, "Ada")
    retry = "who has the role operator can retry its rollout, if every gate still passes then."
    assert f"{retry} Open rollout" in said, said
    rollout = story.rollout(going)
    assert "Retry…" in page(story, f"/rollouts/{rollout.pk}/", "Otto")
    Release.objects.filter(pk=going.pk).update(not_after=now())
    assert "Its approval has expired: request a new release" in page(story, path, "Ada")
    Release.objects.filter(pk=going.pk).update(not_after=now() + timedelta(days=1))
    actions.retry(rollout, reason="sound", actor=story.otto)
    said = page(story, path, "Ada")
    assert "who has the role" not in said and "has expired" not in said
