"""What the page of a release says of earlier attempts to release its version, the worst first."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import recall
from apps.assurance.models import Recall
from apps.audit.actions.erasure import erase_texts
from apps.builds.models import Bento
from apps.governance.actions import withdraw
from apps.governance.models import Release
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.serving.actions import start_endpoint, stop_endpoint
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from tests.support import factories
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
CANARY = {"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]}
WARM = {"keep_warm_seconds": 600}


def said(where: Story | World, release: Release, tab: str = "", *, who: str = "Rita") -> str:
    """Return what a page of a release says to somebody, on one line."""
    answer = browser(where.people[who]).get(f"/releases/{release.pk}/{tab}")
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def read(where: Story | World, release: Release, who: str = "Rita") -> Any:
    """Return what the API says of the same."""
    return browser(where.people[who]).get(f"/api/v1/releases/{release.pk}/attempts").json()


def aborted(story: Story, bento: Bento, environment: str = "development") -> Release:
    """Have Otto abort the rollout of a Bento."""
    release = story.release(environment, bento, plan=CANARY)
    if release.state == "requested":
        story.approve(release)
    story.settle()
    actions.abort(story.rollout(release), reason="latency doubled", actor=story.otto)
    story.settle()
    assert story.state(release) == "aborted"
    return release


@pytest.fixture
def tried(story: Story, first_release: Release) -> Release:
    """A release to development whose rollout Otto aborted."""
    bento = story.world.bento(story.world.version())
    return story.once("an aborted rollout", lambda: aborted(story, bento))


def test_who_is_asked_reads_first_that_an_earlier_rollout_was_aborted_by_whom_and_why(
    story: Story, tried: Release
) -> None:
    again = story.release("staging", tried.bento)
    page = said(story, again)
    sentence = (
        "An earlier rollout of this version to development was aborted by Otto risk (ago) : "
        "“latency doubled”"
    )
    assert sentence in page and page.index(sentence) < page.index("requested by Ada risk") + 4000
    assert page.index("Deploy churn:2") < page.index(sentence) < page.index("Changes")
    assert "Earlier attempt" in page
    at = now()
    assert read(story, again)["worst"] == (
        "An earlier rollout of this version to development was aborted by Otto risk on "
        f"{at.day} {at:%B %Y}: “latency doubled”"
    )


def test_where_there_was_none_nothing_is_said_and_the_tab_says_so(
    story: Story, tried: Release
) -> None:
    other = story.release("staging")
    assert "earlier" not in said(story, other).replace("Earlier attempts", "")
    page = said(story, other, "attempts/")
    assert "No earlier attempts" in page
    assert "churn:3 was not requested for any environment before this release." in page
    assert read(story, other) == {"worst": "", "items": [], "is_cut": False}
    assert "No earlier attempts" in said(story, tried, "attempts/"), "later ones are not earlier"


def test_the_tab_says_of_each_where_it_went_by_whom_it_was_requested_and_decided_and_how_it_ended(
    story: Story, tried: Release
) -> None:
    rejected = story.release("staging", tried.bento, endpoint="other")
    story.world.decide(rejected, story.rex, verdict="reject", comment="No <b>fairness</b>")
    withdrawn = story.release("staging", tried.bento)
    withdraw(withdrawn, actor=story.ada)
    again = story.release("staging", story.world.bento(tried.version))
    page = said(story, again, "attempts/")
    assert page.index("Withdrawn") < page.index("Rejected") < page.index("Aborted")
    assert "Rejected by Rex risk (as reviewer) (ago) : “No <b>fairness</b>”" in page
    assert f"To staging / other · Release {rejected.number}, another build of this version" in page
    assert "Aborted by Otto risk (ago) : “latency doubled”" in page
    assert page.count("Requested by Ada risk (ago)") == 3
    assert "3 attempts" in page
    told = read(story, again)
    assert [row["outcome"] for row in told["items"]] == ["withdrawn", "rejected", "aborted"]
    assert told["items"][2]["rollout"] == story.rollout(tried).pk
    assert told["items"][1]["decisions"][0]["comment"] == "No <b>fairness</b>"
    assert "An earlier rollout of another build of this version to" in told["worst"]


def test_a_rejection_is_the_worst_only_where_nothing_worse_was(world: World) -> None:
    bento = world.bento(world.version())
    first = world.request("staging", bento, endpoint="other")
    world.decide(first, world.rex, verdict="reject", comment="Too late")
    again = world.request("staging", bento)
    sentence = (
        "An earlier release of this version to staging / other was rejected by Rex risk "
        "(as reviewer) (ago) : “Too late”"
    )
    assert sentence in said(world, again)
    erase_texts(world.people["Rex"].pk, actor=SYSTEM)
    assert "(as reviewer) (ago) : “[erased]”" in said(world, again)
    assert "(as reviewer) (ago) : “[erased]”" in said(world, again, "attempts/")


def test_a_rollback_is_worse_than_an_abort_and_says_by_whom(story: Story, tried: Release) -> None:
    second = story.live("development", tried.bento, plan=WARM)
    actions.rollback(second.endpoint, reason="worse in Lyon", actor=story.otto)
    story.settle()
    again = story.release("staging", tried.bento)
    page = said(story, again)
    assert "An earlier release of this version to development was rolled back by Otto" in page
    assert "“worse in Lyon”" in page and "“latency doubled”" not in page
    assert "All 2 earlier attempts" in page
    page = said(story, again, "attempts/")
    assert "Rolled back by Otto risk (ago) : “worse in Lyon” Live for (span) before that" in page
    assert "“latency doubled”" in page


def test_a_stop_does_not_shorten_how_long_a_release_was_live(
    story: Story, first_release: Release
) -> None:
    second = story.live("development", plan=WARM)
    long_ago = now() - timedelta(days=3)
    Release.objects.filter(pk=second.pk).update(first_live_at=long_ago)
    stop_endpoint(second.endpoint, actor=story.otto)
    start_endpoint(second.endpoint, actor=story.otto)
    story.settle()
    actions.rollback(second.endpoint, reason="worse in Lyon", actor=story.otto)
    story.settle()
    again = story.release("staging", second.bento)
    page = said(story, again, "attempts/")
    assert "First live (span) before that, the last time for (span)" in page
    told = read(story, again)["items"][0]
    assert told["first_live_at"] == rfc3339(long_ago) < told["live_at"] < told["ended_at"]


def test_what_failed_is_said_with_the_words_of_the_platform(
    story: Story, first_release: Release
) -> None:
    broken = story.under_way(CANARY)
    revision = story.rollout(broken).to_revision
    story.node.phase[revision.pk] = ("failed", "killed")
    story.settle()
    story.node.phase.clear()
    assert story.state(broken) == "failed"
    page = said(story, story.release("staging", broken.bento))
    assert "An earlier rollout of this version to development failed (ago) : " in page
    assert broken.ended_reason in page


def test_a_rollout_that_was_tried_again_is_not_forgotten(story: Story, tried: Release) -> None:
    rollout = story.rollout(tried)
    actions.retry(rollout, reason="it was the cache", actor=story.otto)
    story.settle()
    assert story.state(tried) == "rolling_out"
    page = said(story, tried)
    assert "An earlier rollout of this release was aborted by Otto risk (ago)" in page
    tab = said(story, tried, "attempts/")
    assert "An earlier rollout of this release · Open rollout" in tab
    assert "Aborted by Otto risk (ago) : “latency doubled”" in tab
    assert Rollout.objects.filter(release=tried).count() == 2
    later = read(story, story.release("staging", tried.bento))
    assert [row["outcome"] for row in later["items"]] == ["rolling_out", "aborted"]


def test_a_recall_says_by_whom_and_why_to_who_may_see_it(
    story: Story, first_release: Release
) -> None:
    by: dict[str, Any] = {"kind": "bento", "what": first_release.bento_id}
    recall(**by, reason="leaky labels", project=first_release.project, actor=story.otto)
    again = story.release("staging", story.world.bento(first_release.version))
    told = "this version to development was revoked by a recall that Otto risk made (ago) : "
    assert f"{told}“leaky labels”" in said(story, again)
    assert "Open recall" in said(story, again, "attempts/")
    Recall.objects.update(project=None)  # one that Rita may not see
    for tab in ("", "attempts/"):
        page = said(story, again, tab)
        assert "leaky labels" not in page and "Open recall" not in page
    assert "was revoked by a recall (ago) ." in said(story, again)
    assert "Revoked by a recall (ago)" in said(story, again, "attempts/")


def test_the_record_names_nothing_that_was_not_known_at_its_decision(world: World) -> None:
    version = world.version()
    first, second = (world.request("staging", world.bento(version)) for _ in range(2))
    world.decide(second, world.rita)
    world.decide(first, world.rex, verdict="reject", comment="Too late")
    assert "was rejected" not in said(world, second)
    assert "Rejected by Rex risk" in said(world, second, "attempts/")
    Release.objects.filter(pk=first.pk).update(ended_at=now() - timedelta(days=1))
    assert "was rejected by Rex" in said(world, second)


def test_of_equally_bad_ones_that_in_the_same_environment_is_said(
    story: Story, tried: Release
) -> None:
    story.live("staging")
    aborted(story, tried.bento, "staging")
    aborted(story, tried.bento)
    page = said(story, story.release("staging", tried.bento))
    assert "An earlier rollout of this version to staging was aborted" in page


def test_who_may_not_see_the_release_is_told_nothing(world: World) -> None:
    release = world.request("staging")
    stranger = browser(factories.person("Sten", roles={"reviewer": World("other").project}))
    for path in (f"/releases/{release.pk}/attempts/", f"/api/v1/releases/{release.pk}/attempts"):
        assert stranger.get(path).status_code == 404


def test_a_token_that_may_not_see_rollouts_reads_of_none(story: Story, tried: Release) -> None:
    again = story.release("staging", tried.bento)
    scopes = ["release.view", "project.view"]
    client = factories.api(factories.token_for(story.people["Rita"], scopes))
    row = client.get(f"/api/v1/releases/{again.pk}/attempts").json()["items"][0]
    assert (row["outcome"], row["rollout"], row["by"]) == ("aborted", "", "")


def test_such_a_token_does_not_read_who_rolled_a_release_back(
    story: Story, first_release: Release
) -> None:
    second = story.live("development", plan=WARM)
    actions.rollback(second.endpoint, reason="worse in Lyon", actor=story.otto)
    story.settle()
    again = story.release("staging", second.bento)
    path = f"/api/v1/releases/{again.pk}/attempts"
    names = []
    for scopes in (["release.view"], ["release.view", "rollout.view"]):
        token = factories.token_for(story.people["Rita"], [*scopes, "project.view"])
        row = factories.api(token).get(path).json()["items"][0]
        assert row["outcome"] == "rolled_back"
        names.append(row["by_name"])
    assert names == ["", "Otto risk"]


def test_where_a_release_was_tried_more_often_than_is_told_of_no_number_is_said(
    story: Story, tried: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollouts = Rollout.objects.filter(release=tried)
    for _ in range(2):
        actions.retry(rollouts.latest("created_at"), reason="again", actor=story.otto)
        story.settle()
        actions.abort(rollouts.latest("created_at"), reason="still slow", actor=story.otto)
        story.settle()
    again = story.release("staging", tried.bento)
    assert [row["outcome"] for row in read(story, again)["items"]] == ["aborted"] * 3
    assert read(story, again)["is_cut"] is False
    monkeypatch.setattr("apps.rollouts.attempts.ROLLOUTS", 2)
    assert len(read(story, again)["items"]) == 2
    assert read(story, again)["is_cut"] is True
    assert "The last 2 attempts" in said(story, again, "attempts/")


def test_pages_and_answer_take_few_queries_and_rows_however_many_attempts_there_were(
    world: World,
) -> None:
    bento = world.bento(world.version())
    for number in range(25):
        row = world.request("staging", bento, endpoint=f"n{number}")
        world.decide(row, world.rex, verdict="reject", comment=f"reason {number}")
    again = world.request("staging", bento)
    rita = browser(world.people["Rita"])
    rita.get("/")
    for path in (
        f"/releases/{again.pk}/",
        f"/releases/{again.pk}/attempts/",
        f"/api/v1/releases/{again.pk}/attempts",
    ):
        with CaptureQueriesContext(connection) as caught:
            assert rita.get(path).status_code == 200
        assert len(caught) <= 12, path
    page = said(world, again, "attempts/")
    assert "The last 20 attempts" in page and "“reason 24”" in page and "“reason 4”" not in page
    assert "“reason 5”" in page
    assert read(world, again)["is_cut"] is True


def test_where_there_were_more_than_are_told_of_no_number_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.rollouts.attempts.MOST", 2)
    bento = world.bento(world.version())
    for endpoint in ("a", "b", "c"):
        rejected = world.request("staging", bento, endpoint=endpoint)
        world.decide(rejected, world.rex, verdict="reject", comment="Too late")
    page = said(world, world.request("staging", bento))
    assert "was rejected by Rex risk" in page
    assert "earlier attempts" not in page
    assert page.count("Earlier attempts") == 2, "the tab, and the link beside the sentence"


def test_what_was_aborted_leads_to_its_retry_and_to_the_newer_release(
    story: Story, tried: Release
) -> None:
    first = story.rollout(tried)
    client, path = browser(story.people["Rita"]), f"/rollouts/{first.pk}/"
    assert "Open its retry" not in client.get(path).content.decode()
    assert "again: release" not in said(story, tried)
    newer = story.release("development", story.world.bento(tried.version), plan=CANARY)
    page = client.get(path).content.decode()
    at = newer.endpoint.name
    link = (
        f'<a href="/releases/{newer.pk}/">Requested again at {at}: open release {newer.number}</a>'
    )
    assert link in page and "Open its retry" not in page
    again = f"Its version was requested for development / {at} again: release {newer.number}."
    assert again in said(story, tried) and "again: release" not in said(story, newer)
    story.settle()
    actions.abort(story.rollout(newer), reason="no", actor=story.otto)
    story.settle()
    retried = actions.retry(first, reason="fixed", actor=story.otto)
    assert f'<a href="/rollouts/{retried.pk}/">Open its retry</a>' in (
        client.get(path).content.decode()
    )
    assert "again: release" not in said(story, tried), "it goes out"


def test_only_what_was_requested_there_after_its_end_is_it_requested_again(world: World) -> None:
    """Not for another endpoint, not before it ended; and it says how that ended itself."""
    version = world.version()
    first = world.request("staging", world.bento(version), endpoint="a")
    world.request("staging", world.bento(version), endpoint="a")
    withdraw(first, actor=world.ada)
    world.request("staging", world.bento(version), endpoint="b")
    assert "again: release" not in said(world, first)
    newer = world.request("staging", world.bento(version), endpoint="a")
    again = f"Its version was requested for staging / a again: release {newer.number}"
    assert f"{again}." in said(world, first)
    withdraw(newer, actor=world.ada)
    assert f"{again} (withdrawn)." in said(world, first)
