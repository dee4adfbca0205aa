"""Deleting an endpoint that nothing needs, as whoever manages it does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
VIEWS = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]


def sound(page: Page, picture: Path) -> None:
    """Fail where the page breaks a rule of access or is wider than the screen."""
    page.screenshot(path=picture, full_page=True)
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
    assert not found, [(v["id"], v["nodes"][0]["html"][:160]) for v in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), picture.name


@pytest.mark.parametrize(("theme", "width"), VIEWS)
def test_what_is_stopped_is_deleted_and_its_story_stays(
    story: Story, theme: str, width: int, open_as: OpenAs, pictures: Path
) -> None:
    release = story.live()
    page = open_as(story.people["Otto"], width=width, theme=theme)
    page.goto(f"/endpoints/{release.endpoint_id}/")
    page.get_by_role("button", name="Stop…").click()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_text("Stopped: clients get 503 until it is started.").wait_for()
    sound(page, pictures / f"endpoint-stopped-{theme}-{width}.png")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("heading", name="Delete churn?").wait_for()
    page.screenshot(path=pictures / f"endpoint-delete-{theme}-{width}.png")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("Deleted churn: its name is free again.").wait_for()
    expect(page.get_by_role("link", name="churn", exact=True)).to_have_count(0)
    page.goto(f"/releases/{release.pk}/")
    expect(page.get_by_text("Retired").first).to_be_visible()
    expect(page.get_by_text("Its endpoint was deleted: it no longer serves.")).to_be_visible()
    expect(page.get_by_text("At the decision:")).to_be_visible()
    expect(page.get_by_text("Now:", exact=True)).to_have_count(0)
    sound(page, pictures / f"release-retired-{theme}-{width}.png")
    page.get_by_role("link", name="Open endpoint").click()
    page.locator("#status").get_by_text("It was deleted: its address leads to nothing.").wait_for()
    for name in ("Delete…", "Start…", "Stop…", "New key…", "Schedule…"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    sound(page, pictures / f"endpoint-deleted-{theme}-{width}.png")
