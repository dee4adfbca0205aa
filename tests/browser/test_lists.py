"""Lists that are sorted by keyboard, kept as views, and acted on many rows of, at any width."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.identity.models import ApiToken, SavedView
from apps.monitoring.actions import open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import Alert, AlertKind
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


def models(page: Page) -> list[str]:
    """Return the names of the models in the order of their list."""
    return page.locator("main tbody td:first-child a").all_inner_texts()


def looked_at(page: Page, pictures: Path, name: str) -> None:
    """Keep a picture, and refuse what somebody could not use."""
    page.screenshot(path=pictures / f"{name}.png", full_page=True)
    broken = Axe().run(page).response["violations"]
    assert not broken, (name, broken[0]["id"], broken[0]["nodes"][0]["html"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


def test_somebody_sorts_by_keyboard_and_keeps_it_as_a_view(world: World, open_as: OpenAs) -> None:
    for name in ("alpha", "omega", "middle"):
        world.version(name)
    page = open_as(world.people["Ada"])
    page.goto("/models/")
    heading = page.get_by_role("columnheader", name="Model")
    heading.get_by_role("link").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/?sort=name")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    page.keyboard.press("Enter")  # where one was
    page.wait_for_url("**/models/?sort=-name")
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert models(page) == ["omega", "middle", "alpha"]
    page.get_by_label("Name", exact=True).first.fill("a")
    page.get_by_label("Name", exact=True).first.press("Enter")
    page.wait_for_url(re.compile(r"/models/\?.*q=a"))
    expect(page.locator("main tbody tr")).to_have_count(2)
    assert models(page) == ["omega", "alpha"]
    page.get_by_role("button", name="Save view…").click()
    page.get_by_role("dialog").get_by_label("Name").fill("With an a")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("The view With an a is saved.").wait_for()
    page.goto("/models/")
    page.get_by_role("navigation", name="Saved views").get_by_text("With an a").click()
    page.wait_for_url(re.compile(r"/models/\?q=a&sort=-name"))
    assert models(page) == ["omega", "alpha"]
    assert page.get_by_role("button", name="Save view…").count() == 0
    page.get_by_role("button", name="Delete the view With an a").click()
    expect(page.get_by_role("navigation", name="Saved views")).to_have_count(0)
    assert not SavedView.objects.exists()


def test_somebody_takes_on_the_alerts_that_they_chose(world: World, open_as: OpenAs) -> None:
    failing(3)
    page = open_as(factories.person("Olga", {"operator": None}))
    page.goto("/alerts/")
    page.get_by_label("Select all").check()
    page.get_by_text("3 selected").wait_for()
    page.get_by_label("Select Routine work fails, job 1").uncheck()
    page.get_by_text("2 selected").wait_for()
    page.get_by_role("button", name="Acknowledge selected").click()
    page.get_by_text("2 alerts acknowledged.").wait_for()
    assert Alert.objects.get(state="open").about == "job 1"


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_the_lists_can_be_used_by_everybody(
    world: World, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    failing(3)
    for number in range(2):
        world.request("staging", endpoint=f"waits-{number}")
    ada = factories.grant(world.people["Ada"], {"operator": None, "admin": None})
    for _ in range(3):
        factories.token_for(ada)
    for name, asked in (("Waiting", {"state": "requested"}), ("w" * 60, {"sort": "state"})):
        SavedView.objects.create(person=ada, list_name="releases", name=name, asked=asked)
    page = open_as(ada, width=width, theme=theme)
    for name, path in (
        ("alerts", "/alerts/"),
        ("releases", "/releases/?state=requested&sort=requested"),
        ("models", "/models/?sort=-name"),
        ("endpoints", "/endpoints/?sort=name"),
        ("people", "/administration/?sort=-name"),
        ("all-tokens", "/administration/tokens/?sort=expires"),
        ("tokens", "/tokens/"),
    ):
        page.goto(path)
        looked_at(page, pictures, f"list-{name}-{theme}-{width}")
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Revoke selected…").click()
    looked_at(page, pictures, f"list-revoke-{theme}-{width}")
    page.get_by_role("button", name="Revoke", exact=True).last.click()
    page.get_by_text("3 tokens revoked.").wait_for()
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    page.goto("/models/?q=churn")
    page.get_by_role("button", name="Save view…").click()
    looked_at(page, pictures, f"list-save-{theme}-{width}")


def failing(count: int) -> None:
    """Have so many kinds of routine work fail."""
    for number in range(count):
        found = AlertFinding(
            AlertKind.SCHEDULE_FAILING, f"s{number}", f"job {number}", "It failed."
        )
        open_alert(found, actor=SYSTEM)
