"""What somebody saw who decided, beside what is so today: on a desk, on a phone and on paper."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.test_release_tabs import looked_at
from tests.browser.test_widths import OUTSIDE
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
TWO = (
    "version: 1\ngates: [{gate: scan}, {gate: approvals, role: reviewer},"
    " {gate: approvals, role: approver}]\n"
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_was_seen_is_told_beside_what_is_so_today(
    story: Story, database_beside_playwright: None, open_as: OpenAs, pictures: Path, theme: str
) -> None:
    world = story.world
    world.policy("staging", TWO)
    bento = world.bento(world.version(), metrics={"auc": 0.95, "expected_calibration_error": 0.3})
    release = story.release("staging", bento)
    decision = world.decide(release, story.rex, comment="The gap is known")
    faster = story.release("staging", world.bento(world.version(), metrics={"auc": 0.5}))
    world.decide(faster, story.rex)
    world.decide(faster, story.vera)
    story.settle()
    assert story.state(faster) == "live"
    for width in (1440, 390):
        page = open_as(story.people["Rita"], theme=theme, width=width)
        page.goto(f"/releases/{release.pk}/")
        page.get_by_role("link", name="What Rex risk saw").click()
        page.wait_for_url(f"**/releases/{release.pk}/decisions/{decision.pk}/")
        page.get_by_role("heading", name="What Rex risk saw").wait_for()
        page.get_by_text("Nothing was live.").wait_for()
        page.get_by_text(f"Today: compared with churn:2, release {faster.number}").wait_for()
        page.get_by_text("Today: 0.5 → 0.95").wait_for()
        page.get_by_text("As it was logged with the decision").wait_for()
        looked_at(page, f"decision-{theme}", pictures, width)


def test_the_print_of_a_release_has_what_each_saw(
    story: Story, database_beside_playwright: None, open_as: OpenAs, pictures: Path
) -> None:
    world = story.world
    release = story.release("staging", world.bento(world.version(), metrics={"auc": 0.95}))
    story.approve(release)
    page = open_as(story.people["Rita"])
    page.goto(f"/releases/{release.pk}/")
    heading = page.get_by_role("heading", name="What Rex risk saw")
    assert heading.count() == 0, "on a screen it has a page of its own"
    page.emulate_media(media="print")
    heading.wait_for()
    page.screenshot(path=pictures / "decision-print.png", full_page=True)
    assert page.evaluate(OUTSIDE) == []
