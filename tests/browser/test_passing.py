"""Passing over analyses that people signed: named in the dialog, confirmed by a second person, and
said by the release for ever."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.governance.models import Release
from apps.rollouts.actions import skip
from apps.rollouts.models import Passing
from tests.support import factories
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
LOOKS: dict[str, Any] = {"analysis": {"metrics": [{"metric": "error_rate", "margin": 0.01}]}}
PLAN = {"strategy": "canary", "steps": [{"set_weight": 5}, LOOKS, {"set_weight": 50}, LOOKS]}
SECOND = "version: 1\npass_over_analyses: second_person\ngates:\n  - {gate: build}\n"
SERIOUS = ("serious", "critical")


def under_way(story: Story) -> Release:
    """Return a release whose first analysis has nothing to judge yet."""
    release = story.release("development", plan=PLAN)
    story.settle()
    assert (story.rollout(release).state, story.rollout(release).step) == ("analysing", 1)
    return release


def open_rollout(story: Story, release: Release, open_as: OpenAs, who: Any, width: int) -> Page:
    page = open_as(who, width=width)
    page.goto(f"/rollouts/{story.rollout(release).pk}/")
    page.wait_for_load_state()
    return page


def submit(page: Page, verb: str, why: str) -> None:
    page.locator(f"#{verb}-why").fill(why)
    page.locator(f"#{verb} button:not([data-close])").click()


@pytest.mark.parametrize("width", [1440, 390])
def test_two_people_pass_over_analyses_that_both_have_read(
    story: Story, open_as: OpenAs, width: int
) -> None:
    story.live()
    story.world.policy("development", SECOND)
    release = under_way(story)
    page = open_rollout(story, release, open_as, story.people["Otto"], width)
    page.locator("#b-promote").click()
    dialog = page.locator("#promote")
    expect(dialog).to_contain_text("Passes over 2 analyses that people signed:")
    expect(dialog).to_contain_text("Step 2 (server errors at most 1 point over stable; up to 1 h)")
    expect(dialog).to_contain_text("Step 4 (server errors")
    expect(dialog).to_contain_text("The policy asks for a second person")
    found = Axe().run(page).response["violations"]
    assert not [one["id"] for one in found if one["impact"] in SERIOUS]
    submit(page, "promote", "It is late")
    page.locator("#b-withdraw").wait_for()
    assert page.locator("#b-confirm").count() == 0
    assert story.rollout(release).step == 1

    olga = factories.person("Olga risk", roles={"operator": story.world.project})
    second = open_as(olga, width=width)
    second.goto("/inbox/")
    expect(second.get_by_text("a second person is asked")).to_be_visible()
    second.goto(f"/rollouts/{story.rollout(release).pk}/")
    second.locator("#b-confirm").click()
    expect(second.locator("#confirm")).to_contain_text("Otto risk asks to promote")
    expect(second.locator("#confirm")).to_contain_text("Step 4 (server errors")
    submit(second, "confirm", "I agree")
    said = "2 analyses that people signed were passed over by Otto risk, confirmed by Olga risk"
    second.get_by_text(said).first.wait_for()
    story.settle()
    second.goto(f"/releases/{release.pk}/")
    expect(second.get_by_text(said).first).to_be_visible()


def test_a_stale_dialog_passes_over_nothing(story: Story, open_as: OpenAs) -> None:
    story.live()
    release = under_way(story)
    page = open_rollout(story, release, open_as, story.people["Otto"], 1440)
    page.locator("#b-promote").click()
    page.locator("#promote-why").fill("Late")
    skip(story.rollout(release), step=1, reason="First", actor=story.otto)
    story.settle()
    page.locator("#promote button:not([data-close])").click()
    page.get_by_text("The rollout has moved on to another step").wait_for()
    assert story.rollout(release).promoted_by == ""
    assert Passing.objects.count() == 1
