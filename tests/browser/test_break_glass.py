"""Breaking the glass as people do it: opened, confirmed, seen on every page, reviewed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.governance.models import BreakGlass
from tests.support import factories
from tests.support.break_glass import broken, fragile, opened
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


@pytest.fixture
def world(world: World) -> World:
    """The project, whose staging lets two people break the glass."""
    return fragile(world)


def test_two_people_break_it_and_a_third_reviews_it(world: World, open_as: OpenAs) -> None:
    release = world.request("staging", plan={"start": "manual"})
    rob = open_as(world.people["Rob"])
    rob.goto(f"/releases/{release.pk}/")
    rob.get_by_role("button", name="Start emergency release…").click()
    rob.get_by_label("Reason").fill("Every payment is declined")
    rob.get_by_label("Valid for").select_option("2")
    rob.get_by_role("button", name="Start", exact=True).click()
    rob.get_by_text("It takes effect once co-signed").wait_for()
    glass = BreakGlass.objects.get()
    assert rob.get_by_role("button", name="Co-sign…").count() == 0

    ada = open_as(world.people["Ada"])
    ada.goto("/models/")
    ada.get_by_text("awaits co-signature").wait_for()
    vera = open_as(world.people["Vera"])
    vera.goto("/")
    vera.get_by_role("link", name="Details").click()
    vera.get_by_text("Every payment is declined").first.wait_for()
    vera.get_by_role("button", name="Co-sign…").click()
    vera.get_by_role("button", name="Co-sign", exact=True).click()
    vera.get_by_text("the release is approved.").wait_for()
    ada.goto("/endpoints/")
    ada.get_by_text("Emergency release active").wait_for()
    ada.goto(f"/releases/{release.pk}/")
    ada.get_by_text("the rollout can start without 2 of its gates").wait_for()

    vera.goto(f"/break-glass/{glass.pk}/")
    vera.get_by_role("button", name="End now…").click()
    ending = vera.get_by_role("dialog")
    expect(ending).to_contain_text("It starts nothing then")
    ending.get_by_role("button", name="End now").click()
    vera.get_by_text("It can no longer start a rollout").wait_for()
    assert vera.get_by_role("button", name="Close review…").count() == 0
    vito = open_as(world.people["Vito"])
    vito.goto("/break-glass/")
    vito.get_by_role("link", name="churn:1 to staging").click()
    vito.get_by_role("button", name="Close review…").click()
    vito.get_by_label("Yes").check()
    vito.get_by_label("Findings").fill("I read the incident")
    vito.get_by_role("button", name="Close review", exact=True).click()
    vito.get_by_text("Review closed").wait_for()
    vito.get_by_text("I read the incident").wait_for()
    glass.refresh_from_db()
    assert (glass.state, glass.finding) == ("reviewed", "justified")


def test_the_pages_can_be_read_by_everybody(world: World, open_as: OpenAs, pictures: Path) -> None:
    factories.grant(world.people["Ada"], {"auditor": None})
    first = broken(world, world.request("staging", endpoint="first"))
    asked = world.request("staging", endpoint="second")
    for theme, width in (("light", 1440), ("light", 390), ("dark", 1440), ("dark", 390)):
        page = open_as(world.people["Ada"], width=width, theme=theme)
        for name, path, says in (
            ("glasses", "/break-glass/", "churn:1 to staging"),
            ("glass", f"/break-glass/{first.pk}/", "What was signed"),
            ("glass-release", f"/releases/{first.release_id}/", "Details and review"),
            ("glass-duties", "/duties/", "In an emergency the policy allows"),
        ):
            page.goto(path)
            page.get_by_text(says).first.wait_for()
            read(page, pictures / f"{name}-{theme}-{width}.png", name)
        rob = open_as(world.people["Rob"], width=width, theme=theme)
        rob.goto(f"/releases/{asked.pk}/")
        rob.get_by_role("button", name="Start emergency release…").click()
        rob.get_by_label("Reason").wait_for()
        read(rob, pictures / f"glass-open-{theme}-{width}.png", "glass-open")
    second = opened(world, asked)
    page = open_as(world.people["Vera"])
    page.goto(f"/break-glass/{second.pk}/")
    page.get_by_role("button", name="Co-sign…").click()
    read(page, pictures / "glass-confirm-light-1440.png", "glass-confirm")


def read(page: Page, picture: Path, name: str) -> None:
    """Take a picture; the page must fit and be readable by everybody."""
    page.screenshot(path=picture, full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    seen = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
    assert not seen, [(v["id"], v["nodes"][0]["html"][:160]) for v in seen]
