"""What pages say of a rollout: which revision it left for which, who paused it, who said why."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.console.queries.rollout_page import rollout_page
from apps.governance.models import Release
from apps.monitoring.models import MetricWindow
from apps.rollouts import actions
from apps.rollouts.models import Rollout
from apps.rollouts.series import series_of
from apps.serving.actions import start_endpoint, stop_endpoint
from apps.serving.windows import KEEP_DAYS
from placet.kernel.clock import now, rfc3339
from tests.support.factories import api, browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
WARM = {"keep_warm_seconds": 600}
TIMED: dict[str, Any] = {
    "strategy": "canary",
    "steps": [{"set_weight": 10}, {"pause": {"duration_seconds": 3600}}],
}
NOT_FROZEN = {
    "gate": "freeze",
    "title": "No freeze",
    "state": "passed",
    "passed": True,
    "reason": "None now",
    "facts": {},
}
MANUAL: dict[str, Any] = {"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]}


def page(story: Story, path: str) -> str:
    """Return what a page says to an operator, on one line."""
    answer = browser(story.people["Otto"]).get(path)
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def pages(story: Story, release: Release) -> dict[str, str]:
    """Return what each page says that tells of the newest rollout of ``release``."""
    rollout = story.rollout(release)
    paths = (f"releases/{release.pk}", f"endpoints/{release.endpoint_id}", f"rollouts/{rollout.pk}")
    return {path.partition("/")[0]: page(story, f"/{path}/") for path in paths}


def can(story: Story, rollout: Rollout) -> set[str]:
    """Return what its page offers to do."""
    buttons = rollout_page(rollout.pk, story.otto).buttons
    return {button.dialog for button in buttons}


def test_a_rollout_that_somebody_paused_says_so_with_who_and_why_wherever_it_is_told_of(
    story: Story,
) -> None:
    release = story.under_way(TIMED)
    actions.pause(story.rollout(release), reason="traffic fell", actor=story.otto)
    for name, said in pages(story, release).items():
        assert "‖ Paused by Otto risk" in said, name
        assert "Paused by Otto risk (ago) : “traffic fell”" in said, name
        assert "◷ Waiting" not in said and "| Waiting for" not in said, name
    actions.resume(story.rollout(release), step=1, reason="it came back", actor=story.otto)
    for name, said in pages(story, release).items():
        assert "‖ Paused" not in said, name
        assert "Resumed by Otto risk (ago) : “it came back”" in said, name


def test_a_rollout_that_its_plan_has_paused_says_which_step_waits(story: Story) -> None:
    release = story.under_way(MANUAL)
    for name, said in pages(story, release).items():
        assert "‖ Paused by its plan: step 2 waits for an operator to resume it" in said, name


def test_lists_say_paused_of_a_release_whose_rollout_is_and_find_it_by_that_word(
    story: Story,
) -> None:
    release = story.under_way(TIMED)

    def listed() -> dict[str, bool]:
        return {
            state: f'href="/releases/{release.pk}/"' in shown
            for state in ("rolling_out", "paused")
            for shown in [seen(f"/releases/?state={state}")]
        }

    def seen(path: str) -> str:
        return browser(story.people["Otto"]).get(path).content.decode().split("<main")[1]

    assert listed() == {"rolling_out": True, "paused": False}
    assert "◷ Rolling out" in page(story, "/releases/?state=rolling_out")
    actions.pause(story.rollout(release), reason="traffic fell", actor=story.otto)
    assert listed() == {"rolling_out": False, "paused": True}
    said = page(story, "/releases/?state=paused")
    assert "‖ Paused" in said and "◷ Rolling out" not in said
    exported = api(story.people["Otto"]).get("/exports/releases?format=json&state=paused")
    (row,) = json.loads(b"".join(exported.streaming_content))
    assert (row["id"], row["state"]) == (release.pk, "paused")


def test_lists_say_paused_of_a_release_that_its_plan_has_paused(story: Story) -> None:
    release = story.under_way(MANUAL)
    hits = api(story.people["Otto"]).get("/search?q=rolling+churn").json()["items"]
    (detail,) = [hit["detail"] for hit in hits if hit["id"] == release.pk]
    assert ", paused" in detail, "found by its state, told by its word"
    assert "‖ Paused" in page(story, "/releases/?state=paused")
    assert "No matches" in page(story, "/releases/?state=rolling_out")


def test_a_printed_release_has_no_button_to_its_rollout(story: Story) -> None:
    path = f"/releases/{story.under_way(MANUAL).pk}/"
    shown = browser(story.people["Otto"]).get(path).content.decode()
    before, _, _ = shown.partition("Open rollout")
    assert '<div class="card-footer d-print-none">' in before[-200:]


def head_of(story: Story, release: Release) -> tuple[str, str]:
    """Return what the head of a release's page was made for, and how often it is renewed."""
    answer = browser(story.people["Otto"]).get(f"/releases/{release.pk}/")
    text, mark = answer.content.decode(), answer["X-Page-State"]
    assert f'data-page-state="{mark}"' in text
    return mark, text.partition('hx-trigger="')[2].partition('"')[0]


@pytest.mark.parametrize("plan", [TIMED, MANUAL])
def test_the_head_of_a_release_is_out_of_date_once_a_person_paused_its_rollout(
    story: Story, plan: dict[str, Any]
) -> None:
    release = story.under_way(plan)
    before, often = head_of(story, release)
    assert before.startswith("rolling_out") and often == "every 1s"
    actions.pause(story.rollout(release), reason="traffic fell", actor=story.otto)
    paused, _ = head_of(story, release)
    assert paused.startswith("rolling_out ") and paused != before, "also where its plan had"


def test_the_page_of_a_release_is_renewed_while_something_may_become_of_it(story: Story) -> None:
    waits = story.world.request("staging")
    assert head_of(story, waits)[1] == "every 10s"
    live = story.live()
    mark, often = head_of(story, live)
    assert mark.startswith("live ") and often == "every 10s"
    story.live()
    mark, often = head_of(story, live)
    assert mark.startswith("superseded ") and often == ""


def test_the_page_of_a_release_is_out_of_date_once_what_it_would_replace_is_stopped(
    story: Story,
) -> None:
    live = story.live()
    asked = story.release("development", plan=MANUAL | {"start": "manual"})
    elsewhere = story.release("staging")
    assert asked.endpoint_id == live.endpoint_id != elsewhere.endpoint_id
    before, apart = head_of(story, asked)[0], head_of(story, elsewhere)[0]
    stop_endpoint(live.endpoint, actor=story.otto)
    assert head_of(story, asked)[0] != before
    assert head_of(story, elsewhere)[0] == apart, "another endpoint is none of its"


def test_what_a_person_paused_is_paused_in_every_list_that_tells_of_it(story: Story) -> None:
    release = story.under_way(TIMED)
    version = release.version
    places = (
        "/projects/risk/",
        f"/models/risk/{version.model.name}/{version.number}/",
        "/endpoints/",
        f"/projects/risk/environments/{release.environment.name}/",
    )
    going = [page(story, path) for path in places]
    assert "Paused" not in " ".join(going)
    actions.pause(story.rollout(release), reason="traffic fell", actor=story.otto)
    for path in places:
        said = page(story, path)
        assert "Paused" in said, path
        assert "◷ Rolling out" not in said and "Rollout in progress" not in said, path
    assert "Paused by Otto risk" in page(story, "/endpoints/")
    assert "requested (ago)" in page(story, places[0]).lower()
    own = browser(story.people["Ada"]).get(f"/people/{story.people['Ada'].pk}/").content.decode()
    assert "Paused" in own and "Rolling out" not in own


def test_the_gates_of_a_live_release_are_those_of_its_start(story: Story) -> None:
    release = story.live()
    Release.objects.filter(pk=release.pk).update(gates=[NOT_FROZEN])
    said = page(story, f"/releases/{release.pk}/")
    assert "Gates at its start" in said and "Not frozen then" in said
    assert "None now" not in said


def test_at_a_step_that_waits_for_somebody_to_resume_it_nothing_is_offered_to_be_paused(
    story: Story,
) -> None:
    rollout = story.rollout(story.under_way(MANUAL))
    assert can(story, rollout) == {"resume", "promote"}


def test_a_rollout_that_goes_on_by_itself_can_be_paused_and_then_resumed(story: Story) -> None:
    rollout = story.rollout(story.under_way(TIMED))
    assert can(story, rollout) == {"pause", "skip", "promote"}
    actions.pause(rollout, reason="traffic fell", actor=story.otto)
    assert can(story, rollout) == {"resume", "skip", "promote"}


def test_a_rollback_says_which_revision_was_left_which_came_who_did_it_and_why(
    story: Story,
) -> None:
    second = story.live(plan=WARM)
    rollout = actions.rollback(second.endpoint, reason="worse in Lyon", actor=story.otto)
    story.settle()
    went, why = "Rolled back from revision 2 to revision 1", "by Otto risk (ago) : “worse in Lyon”"
    endpoint = page(story, f"/endpoints/{second.endpoint_id}/")
    assert went in endpoint and f"Rolled back {why}" in endpoint
    assert "Rolled out revision 2, replacing revision 1" in endpoint
    assert f"{went}, release 1 , started by Otto risk" in page(story, f"/rollouts/{rollout.pk}/")
    assert f"{went} {why}. It can't be rolled out again" in page(story, f"/releases/{second.pk}/")


def test_what_somebody_aborted_says_when_and_quotes_them(story: Story) -> None:
    release = story.under_way(TIMED)
    actions.abort(story.rollout(release), reason="wrong model", actor=story.otto)
    story.settle()
    said = pages(story, release)
    for name in ("releases", "rollouts"):
        assert "Aborted by Otto risk (ago) | “wrong model”" in said[name], name
    assert "Rollout of revision 2, to replace revision 1" in said["endpoints"]
    assert "Aborted by Otto risk (ago) : “wrong model”" in said["endpoints"]


def test_what_the_platform_says_is_quoted_of_nobody(story: Story) -> None:
    release = story.under_way(TIMED)
    Rollout.objects.filter(release=release).update(
        state="failed", reason="The analysis failed.", finished_at=now()
    )
    said = page(story, f"/endpoints/{release.endpoint_id}/")
    assert "The analysis failed." in said and "“The analysis failed.”" not in said


def test_the_story_of_an_endpoint_is_what_people_decided_until_everything_is_asked_for(
    story: Story,
) -> None:
    release = story.under_way(TIMED)
    actions.pause(story.rollout(release), reason="traffic fell", actor=story.otto)
    path = f"/endpoints/{release.endpoint_id}/"
    few = page(story, path).partition("| Activity |")[2]
    line = "Paused the rollout by Otto risk | rollout of release 2 at churn | “traffic fell”"
    assert line in few
    assert "Started rolling out release 2" in few and "Went live" in few
    for technical in ("of the traffic", "% of the requests to the new revision", "Added revision"):
        assert technical not in few, technical
    every = page(story, f"{path}?activity=all").partition("| Activity |")[2]
    assert "Revision 2 is ready with 10% of the traffic" in every
    assert line in every
    assert (
        "Link(" not in few
        and "Show everything" in few
        and "Show decisions and changes of state only" in every
    )


def answered(revision: str | None, seconds_ago: float, good: int) -> None:
    """Store a window of ``revision`` that began so long ago."""
    assert revision is not None
    MetricWindow.objects.create(
        node="nod_1",
        revision=revision,
        started_at=now() - timedelta(seconds=seconds_ago),
        seconds=10,
        status_2xx=good,
        latency={"25": good},
    )


def test_what_was_observed_of_a_rollout_stays_as_it_was_at_its_end(story: Story) -> None:
    release = story.under_way(TIMED)
    actions.abort(story.rollout(release), reason="wrong model", actor=story.otto)
    story.settle()
    began = rfc3339(now() - timedelta(minutes=5))
    ended = now() - timedelta(seconds=40)
    Rollout.objects.filter(release=release).update(finished_at=ended, step_times={"0": began})
    rollout = story.rollout(release)
    answered(rollout.from_revision_id, 55, 90)
    before = rollout_page(rollout.pk, story.otto).traffic, series_of(rollout).points
    assert dict(before[0])["Requests"] == ["0", "90"] and len(before[1]) == 1
    answered(rollout.from_revision_id, 30, 500)
    assert (rollout_page(rollout.pk, story.otto).traffic, series_of(rollout).points) == before
    assert series_of(rollout).until == rollout.finished_at


def test_requests_from_before_a_step_and_after_it_was_aborted_are_none_of_it(
    story: Story,
) -> None:
    release = story.under_way(TIMED)
    actions.abort(story.rollout(release), reason="wrong model", actor=story.otto)
    story.settle()
    row = story.rollout(release)
    end = now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    began, back = end - timedelta(seconds=43), end - timedelta(seconds=7)
    Rollout.objects.filter(pk=row.pk).update(
        step_times={"0": rfc3339(began)},
        phase_times=row.phase_times | {"aborting": rfc3339(back)},
        finished_at=end,
    )
    for seconds, old, new in ((50, 36, 1), (40, 34, 4), (30, 34, 3), (20, 33, 4), (10, 37, 1)):
        for revision, count in ((row.from_revision_id, old), (row.to_revision_id, new)):
            answered(revision, (now() - end).total_seconds() + seconds, count)
    page_object = rollout_page(row.pk, story.otto)
    table, counted = dict(page_object.traffic), page_object.view.counted
    assert (table["Requests"], table["Observed"]) == (["11", "101"], ["9.821%", "90.18%"])
    spans = [(end - at).total_seconds() for at in (counted.since, counted.until)]
    assert spans == [40, 10]
    assert "(time) to (time) of its last step" in page(story, f"/rollouts/{row.pk}/")


def _began(row: Rollout, at: datetime) -> None:
    times = {index: rfc3339(at) for index in row.step_times}
    Rollout.objects.filter(pk=row.pk).update(step_times=times)


def test_a_step_under_way_says_from_when_to_when_it_is_counted_and_first_that_it_is_not(
    story: Story,
) -> None:
    release = story.under_way(TIMED)
    row = story.rollout(release)
    path = f"/rollouts/{row.pk}/"
    _began(row, now())
    said = page(story, path).partition("| Metrics |")[0]
    assert "Nothing is counted yet. The first (span) are counted at (time) ." in said
    assert "Target" in said and "Observed" not in said and "Requests" not in said
    stop_endpoint(release.endpoint, actor=story.otto)
    stopped = page(story, path).partition("| Metrics |")[0]
    assert "Nothing is counted while the endpoint is stopped." in stopped
    assert "are counted at" not in stopped
    start_endpoint(release.endpoint, actor=story.otto)
    _began(row, now() - timedelta(minutes=2))
    answered(row.from_revision_id, 20, 30)
    said = page(story, path).partition("| Metrics |")[0]
    assert "(time) to (time) ; what came since is not counted yet" in said
    assert "Requests | 0 | 30" in said and "Nothing is counted yet" not in said


def test_the_heading_of_a_rollout_has_a_time_that_stays_true_while_the_page_is_open(
    story: Story,
) -> None:
    row = story.rollout(story.under_way(TIMED))
    said = page(story, f"/rollouts/{row.pk}/")
    assert "started by Placet at (date) (time) UTC" in said


def test_counts_that_are_kept_no_more_are_not_said_to_be_none(story: Story) -> None:
    release = story.under_way(TIMED)
    actions.abort(story.rollout(release), reason="wrong model", actor=story.otto)
    story.settle()
    long_ago = now() - timedelta(days=KEEP_DAYS, minutes=1)
    Rollout.objects.filter(release=release).update(finished_at=long_ago)
    said = page(story, f"/rollouts/{story.rollout(release).pk}/")
    assert "Counts are kept for (span): those of this rollout are gone." in said
    assert "Observed |" not in said.partition("| Metrics |")[0]


def test_a_rollout_that_has_just_ended_goes_on_until_its_last_requests_are_counted(
    story: Story,
) -> None:
    release = story.under_way(TIMED)
    actions.abort(story.rollout(release), reason="wrong model", actor=story.otto)
    story.settle()
    row = story.rollout(release)
    began = rfc3339(now() - timedelta(seconds=25))
    Rollout.objects.filter(pk=row.pk).update(step_times={"0": began}, finished_at=now())
    path, otto = f"/rollouts/{row.pk}/", browser(story.people["Otto"])
    said = page(story, path)
    assert "Its last requests are not counted yet: that takes up to (span)" in said, said
    assert f'hx-get="{path}"' in otto.get(path).content.decode()
    with time_machine.travel(now() + timedelta(minutes=1)):
        assert "are not counted yet" not in page(story, path)
        assert f'hx-get="{path}"' not in otto.get(path).content.decode()
