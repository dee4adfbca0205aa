"""Who may use a target, as whoever manages it says, and what home says of a shared one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.serving.actions import update_target
from apps.serving.models import Node, Target, TargetUse
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.nodes import SimulatedNode
from tests.support.world import World, listed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


def test_who_manages_targets_lets_a_project_use_one_and_no_longer(
    world: World, open_as: OpenAs
) -> None:
    world.live()
    factories.project("plant", "Plant")
    page = open_as(factories.person("Chief", {"operator": None}))
    page.goto("/targets/")
    page.get_by_text("In Risk, production shares the target local with development").wait_for()
    page.get_by_role("link", name="How production gets a target of its own").click()
    page.get_by_role("heading", name="A target of its own for production").wait_for()
    page.get_by_role("link", name="local", exact=True).click()
    page.get_by_label("Project", exact=True).select_option("plant")
    page.get_by_label("Environment").fill("later")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("plant/later may use local.").wait_for()
    page.get_by_role("button", name="Remove plant/later").click()
    page.get_by_text("plant/later may no longer use local.").wait_for()
    page.get_by_role("button", name="Remove risk/development").click()
    page.get_by_text("risk/development may no longer use local.").wait_for()
    page.get_by_role("button", name="Remove risk", exact=True).click()
    page.get_by_text("Not stopped yet: risk/development/churn").wait_for()
    page.get_by_label("E-mail address or id").fill(world.people["Vera"].email)
    page.get_by_role("button", name="Save owner").click()
    page.locator("dd", has_text=str(world.people["Vera"])).wait_for()
    assert Target.objects.get().owner == world.people["Vera"].pk
    assert TargetUse.objects.filter(project=world.project, environment="").exists()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_are_usable_by_everybody(
    world: World, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    world.live()
    SimulatedNode.joined(world.target)
    said = {"code": "pass_failed", "detail": "TypeError: one of the projects' revisions"}
    Node.objects.update(report={"errors": [said]})
    update_target(world.target, owner=world.people["Vera"].pk, actor=SYSTEM)
    listed(world.target, factories.project("plant", "Plant"))
    chief = factories.person("Chief", {"operator": None})
    for who, path, name in (
        (world.people["Ada"], "/", "home-shared"),
        (chief, "/targets/", "targets"),
        (chief, "/targets/local/", "target"),
        (world.people["Otto"], "/targets/local/", "target-reader"),
    ):
        page = open_as(who, width=width, theme=theme)
        page.goto(path)
        bad = [
            v
            for v in Axe().run(page).response["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert not bad, "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in bad)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=True)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_long_name_fits_on_a_phone(
    world: World, open_as: OpenAs, pictures: Path, theme: str
) -> None:
    Target.objects.update(name="w" * 60)
    release = world.request("staging", serving={"egress": ["169.254.169.254:80"]})
    chief = factories.person("Chief", {"operator": None})
    page = open_as(chief, width=390, theme=theme)
    for path, name in (
        ("/targets/", "targets-long"),
        (f"/targets/{'w' * 60}/", "target-long"),
        ("/", "home-long"),
        (f"/endpoints/{release.endpoint_id}/", "endpoint-long"),
        (f"/releases/{release.pk}/", "release-long"),
    ):
        page.goto(path)
        page.screenshot(path=pictures / f"{name}-{theme}-390.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
