"""Somebody watches a release and chooses what is mailed to them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.notices.actions import choose, watch_project
from apps.notices.models import Preference
from tests.browser.test_streams import check
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


def test_one_watches_a_release_and_chooses_mails(world: World, open_as: OpenAs) -> None:
    release = world.request("staging")
    page = open_as(world.people["Rex"])
    page.goto(f"/releases/{release.pk}/")
    page.get_by_role("button", name="Watch", exact=True).click()
    page.get_by_text(f"You watch release {release.number}").wait_for()
    page.get_by_role("button", name="Unwatch", exact=True).wait_for()
    page.goto("/projects/risk/")
    page.get_by_role("button", name="Watch", exact=True).click()
    page.get_by_text("You watch Risk").wait_for()
    page.goto("/notifications/")
    page.get_by_role("link", name=f"Release {release.number}").wait_for()
    page.get_by_label("Releases that need my review").select_option("Daily digest")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Your notifications are saved").wait_for()
    chosen = page.get_by_label("Releases that need my review")
    expect(chosen).to_have_value("daily")
    page.get_by_label("About").select_option("Alerts in projects that I watch")
    page.get_by_label("Mail", exact=True).select_option("No mail")
    page.get_by_role("button", name="Save for this project").click()
    page.get_by_role("cell", name="Alerts in projects that I watch").wait_for()
    rows = Preference.objects.order_by("kind").values_list("kind", "way", "project__slug")
    assert list(rows) == [("alert", "none", "risk"), ("review", "daily", None)]


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)
def test_the_page_is_usable_by_everybody(
    world: World, open_as: OpenAs, pictures: Path, width: int, theme: str
) -> None:
    rex = world.rex
    watch_project(world.project, is_on=True, actor=rex)
    choose("alert", way="none", project=world.project, actor=rex)
    page = open_as(world.people["Rex"], width=width, theme=theme)
    page.goto("/notifications/")
    check(page, width, pictures / f"notifications-{theme}-{width}.png")
