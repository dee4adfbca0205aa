"""An administrator makes a project and adds its members, in the browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.governance.actions import update_environment
from apps.identity.actions import update_project
from apps.identity.models import Project, RoleBinding
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
LONG = "w" * 60


def test_an_administrator_makes_a_project_and_gives_somebody_a_role(
    world: World, open_as: OpenAs
) -> None:
    page = open_as(factories.person("Ann", {"admin": None}))
    page.goto("/")
    page.get_by_role("link", name="Projects", exact=True).click()
    page.get_by_role("button", name="New project…").click()
    page.get_by_label("Name", exact=True).fill("Clinic")
    page.get_by_label("Short name in addresses").fill("clinic")
    page.get_by_label("What is it for?").fill("Triage of patients")
    page.get_by_label("Regulated").check()
    page.get_by_label("Storage quota in GB").fill("20")
    page.get_by_role("button", name="Create project").click()
    page.get_by_text("Clinic is there. Give people roles in it.").wait_for()
    page.get_by_label("Who").fill(world.people["Vera"].email)
    page.get_by_label("Role", exact=True).select_option("approver")
    page.get_by_label("Where").select_option("production")
    page.get_by_role("button", name="Give the role").click()
    page.get_by_text("Vera risk is approver in Clinic / production.").wait_for()
    page.get_by_role("link", name="Vera risk").first.click()
    page.get_by_role("link", name="Clinic").click()
    page.get_by_role("link", name="production", exact=True).click()
    page.get_by_role("heading", name="production in Clinic").wait_for()
    page.get_by_role("link", name="Members of the project").click()
    page.get_by_role("button", name="Remove approver from Vera risk").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("Removed from Vera risk: approver · Clinic / production.").wait_for()
    made = Project.objects.get(slug="clinic")
    assert made.artifact_quota == 20_000_000_000
    assert not RoleBinding.objects.filter(project=made).exists()


def test_a_short_name_is_suggested_while_the_name_is_typed_and_never_over_ones_own(
    world: World, open_as: OpenAs
) -> None:
    page = open_as(factories.person("Ann", {"admin": None}))
    page.goto("/projects/")
    page.get_by_role("button", name="New project…").click()
    name, short = page.get_by_label("Name", exact=True), page.locator("#np-slug")
    name.press_sequentially("Crédit  Risk (2)")
    expect(short).to_have_value("credit-risk-2")
    name.fill("Claims")
    expect(short).to_have_value("claims")
    short.fill("claims-eu")
    name.fill("Claims of Europe")
    expect(short).to_have_value("claims-eu")
    short.fill("")
    name.fill("Claims of the EU")
    expect(short).to_have_value("claims-of-the-eu")


def test_the_palette_finds_a_project_and_a_person(world: World, open_as: OpenAs) -> None:
    page = open_as(factories.person("Ann", {"admin": None}))
    for text, title in (("risk", "Risk"), ("vera", "Vera risk")):
        page.goto("/")
        page.keyboard.press("Control+k")
        page.keyboard.type(text)
        page.get_by_role("option", name=title).first.wait_for()
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=title, exact=True).wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_are_usable_by_everybody(
    world: World, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    world.live()
    release = world.request("staging")
    world.decide(release, world.rex)
    setting = {"after": "soaked", "to": "production", "plan": "canary"}
    update_environment(world.environment("staging"), promote=setting, actor=world.otto)
    update_project(world.project, name=LONG, description=LONG * 3, actor=SYSTEM)
    factories.service_account("nightly", world.people["Ada"], {"contributor": world.project})
    both = factories.person("Ann Administrator", {"admin": None, "auditor": None})
    for who, path, name in (
        (both, "/projects/", "projects"),
        (world.people["Ada"], "/projects/risk/", "project"),
        (both, "/projects/risk/members/", "members"),
        (both, "/projects/risk/activity/", "activity"),
        (both, "/projects/risk/figures/", "figures"),
        (both, "/projects/risk/settings/", "settings"),
        (world.people["Ada"], "/projects/risk/environments/staging/", "environment"),
        (world.people["Otto"], "/projects/risk/environments/staging/", "promotion"),
        (both, f"/people/{world.people['Rex'].pk}/", "person"),
    ):
        page = open_as(who, width=width, theme=theme)
        page.goto(path)
        if name == "projects":
            page.screenshot(path=pictures / f"{name}-list-{theme}-{width}.png", full_page=True)
            page.get_by_role("button", name="New project…").click()
        bad = [
            v
            for v in Axe().run(page).response["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert not bad, "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in bad)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=True)
