"""What the page of a rollout says of each step: what was done, and who ended what was not."""

from datetime import datetime

import pytest

from apps.audit.models import Event
from apps.console.queries.rollout_page import RolloutPage, rollout_page
from apps.governance.models import Release
from apps.rollouts import actions
from apps.rollouts.models import Look, Rollout
from apps.rollouts.rules.facts import NO_REASON
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from tests.support import factories
from tests.support.story import Story

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
ANALYSIS = {"analysis": {"metrics": [{"metric": "error_rate", "margin": 0.01}]}}
PLAN = {
    "strategy": "canary",
    "steps": [
        {"set_weight": 1},
        ANALYSIS,
        {"set_weight": 5},
        ANALYSIS,
        {"set_weight": 50},
        {"pause": {}},
    ],
}


@pytest.fixture
def canary(story: Story) -> Release:
    """A release whose first analysis has nothing to judge yet."""
    release = story.under_way(PLAN)
    assert (story.rollout(release).state, story.rollout(release).step) == ("analysing", 1)
    return release


def olga(story: Story) -> Actor:
    """Return a second operator of the project."""
    return factories.actor_of(
        factories.person("Olga risk", roles={"operator": story.world.project})
    )


def page(rollout: Rollout, story: Story) -> RolloutPage:
    """Return it as Otto reads it."""
    return rollout_page(rollout.pk, story.otto)


def told(rollout: Rollout, story: Story) -> list[tuple[str, str]]:
    """Return how far each step is, and what stands below it."""
    return [(step.state, step.note) for step in page(rollout, story).view.steps]


def test_what_was_skipped_and_promoted_past_was_not_done(story: Story, canary: Release) -> None:
    actions.skip(story.rollout(canary), step=1, reason="Seen enough", actor=story.otto)
    story.settle()
    assert story.rollout(canary).step == 3
    actions.promote(story.rollout(canary), step=3, reason="Go", actor=olga(story))
    story.settle()
    by_otto, by_olga = "Skipped by Otto risk", "Skipped by Olga risk"
    assert told(story.rollout(canary), story) == [
        ("done", ""),
        ("skipped", by_otto),
        ("done", ""),
        ("skipped", by_olga),
        ("skipped", by_olga),
        ("skipped", by_olga),
        ("done", ""),
    ]


def test_steps_that_were_passed_stand_in_the_order_of_their_times(
    story: Story, canary: Release
) -> None:
    actions.skip(story.rollout(canary), step=1, reason="Seen enough", actor=story.otto)
    story.settle()
    actions.promote(story.rollout(canary), step=3, reason="Go", actor=olga(story))
    story.settle()
    times = [step.at for step in page(story.rollout(canary), story).view.steps if step.at]
    assert len(times) == 7 and times == sorted(times)


def test_who_promotes_at_the_last_weight_goes_past_nothing(story: Story, canary: Release) -> None:
    for step in (1, 3):
        actions.skip(story.rollout(canary), step=step, reason="On", actor=story.otto)
        story.settle()
    actions.resume(story.rollout(canary), step=5, reason="Well", actor=story.otto)
    actions.promote(story.rollout(canary), step=6, reason="Now", actor=olga(story))
    assert told(story.rollout(canary), story)[4:] == [("done", ""), ("done", ""), ("now", "")]


def test_what_ran_when_somebody_aborted_has_not_failed(story: Story, canary: Release) -> None:
    actions.abort(story.rollout(canary), reason="Wrong model", actor=story.otto)
    story.settle()
    ended = page(story.rollout(canary), story)
    by = "Aborted by Otto risk"
    assert told(story.rollout(canary), story)[:3] == [("done", ""), ("aborted", by), ("", "")]
    assert (ended.ended_badly, ended.ended_by) == (True, by)
    assert ended.words is not None and ended.words.text == "Wrong model"
    assert ended.view.picture.stairs[0].state == "failed"


@pytest.mark.parametrize(
    ("outcome", "state"), [("failed", "failed"), ("inconclusive", "rolled_back")]
)
def test_what_the_platform_rolled_back_says_so(
    story: Story, canary: Release, outcome: str, state: str
) -> None:
    row = story.rollout(canary)
    Look.objects.create(
        rollout=row, step=1, at=now(), outcome=outcome, verdict={"sentence": "So.", "findings": []}
    )
    Rollout.objects.filter(pk=row.pk).update(state="failed", reason="Nothing was shown in time.")
    by = "Rolled back by the platform"
    assert told(story.rollout(canary), story)[1] == (state, by)
    assert page(story.rollout(canary), story).ended_by == by


def test_a_step_that_somebody_ended_early_says_when_they_did(story: Story, canary: Release) -> None:
    actions.skip(story.rollout(canary), step=1, reason="Seen enough", actor=story.otto)
    story.settle()
    actions.abort(story.rollout(canary), reason="Wrong model", actor=story.otto)
    story.settle()
    row = story.rollout(canary)
    aborted = datetime.fromisoformat(row.phase_times["aborting"])
    steps = page(row, story).view.steps
    assert [(step.state, step.at) for step in steps if step.state in ("skipped", "aborted")] == [
        ("skipped", datetime.fromisoformat(row.step_times["2"])),  # when the next one began
        ("aborted", aborted),
    ]


def test_the_page_of_a_release_says_each_analysis_of_its_plan(
    story: Story, canary: Release
) -> None:
    shown = factories.browser(story.people["Ada"]).get(f"/releases/{canary.pk}/").content.decode()
    for weight in ("1%", "5%"):
        asked = "server errors at most 1 point over stable"
        assert f"Analysis at {weight}: {asked}" in " ".join(shown.split())


def test_nobody_is_quoted_with_what_stands_where_no_reason_was_given(
    story: Story, canary: Release
) -> None:
    actions.abort(story.rollout(canary), reason=NO_REASON, actor=story.otto)  # as 0.1.0 wrote it
    client = factories.browser(factories.person("Aud", roles={"auditor": story.world.project}))
    (event,) = Event.objects.filter(kind="rollout.aborting.v1")
    pages = [f"/rollouts/{story.rollout(canary).pk}/", f"/audit/{event.index}/"]
    for path in pages:
        shown = client.get(path)
        assert shown.status_code == 200
        assert f"“{NO_REASON}" not in shown.content.decode()
