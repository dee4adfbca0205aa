"""An access admin looks after people, roles, tokens and settings, in the browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.identity.actions import demand_second_factor
from apps.identity.models import RoleBinding, SecondFactorDemand, User
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support import factories
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
# Statuses of one word that stand in more than one line
BROKEN = """() => [...document.querySelectorAll("td .state")]
  .filter(e => e.checkVisibility() && !e.textContent.trim().slice(1).trim().includes(" "))
  .filter(e => e.getBoundingClientRect().height > 2 * parseFloat(getComputedStyle(e).fontSize))
  .map(e => e.textContent)"""
TABS = ("", "teams/", "roles/", "tokens/", "instance/")


@pytest.mark.parametrize("width", [1440, 390])
def test_an_admin_invites_somebody_and_demands_a_second_factor_of_approvers(
    world: World, open_as: OpenAs, width: int
) -> None:
    page = open_as(factories.person("Ann", {"admin": None}), width=width)
    page.goto("/administration/")
    page.get_by_role("button", name="Invite a person…").click()
    page.get_by_label("Name", exact=True).fill("Nora New")
    page.get_by_label("E-mail address").fill("nora@example.com")
    page.get_by_label("Role", exact=True).select_option("approver")
    page.get_by_label("Where").select_option("risk/production")
    page.get_by_role("button", name="Invite", exact=True).click()
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("heading", name="Nora New").wait_for()
    page.get_by_role("button", name="Remove approver").click()
    page.get_by_text("can no longer decide on releases as approver").wait_for()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("Removed: approver · Risk / production.").wait_for()
    page.get_by_role("button", name="Sign out everywhere…").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_text("Nora New is signed out everywhere.").wait_for()
    page.goto("/administration/roles/")
    page.get_by_role("button", name="Require a second factor for approver").click()
    page.get_by_role("dialog").get_by_text("2 people have none and lose it now").wait_for()
    page.get_by_role("button", name="Require", exact=True).click()
    said = "no new request can be approved in Risk / production under the policy"
    said += " in force until"
    page.get_by_text(said).wait_for()
    assert not SecondFactorDemand.objects.exists()
    assert not Axe().run(page).response["violations"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Require all the same").click()
    page.get_by_text("The role approver now needs a second factor.").wait_for()
    assert SecondFactorDemand.objects.get().role == "approver"
    assert not RoleBinding.objects.filter(person__email="nora@example.com").exists()


def test_each_tab_can_be_used_by_everybody(world: World, open_as: OpenAs, pictures: Path) -> None:
    ann = factories.person("Ann", {"admin": None})
    bob = factories.person("Bob " + "b" * 60, {"operator": world.project})
    factories.token_for(bob)
    crew = factories.team("Crew " + "c" * 60, bob, roles={"viewer": world.project})
    demand_second_factor("approver", actor=SYSTEM)
    User.objects.update(last_login=now())  # all are *Active*: no longer status makes room for it
    for theme, width in (("light", 1440), ("dark", 390)):
        page = open_as(ann, width=width, theme=theme)
        for tab in (*TABS, f"teams/{crew.pk}/"):
            page.goto(f"/administration/{tab}")
            of = tab.replace(crew.pk, "one").strip("/").replace("/", "-") or "people"
            name = f"administration-{of}-{theme}-{width}.png"
            page.screenshot(path=pictures / name, full_page=True)
            broken = Axe().run(page).response["violations"]
            assert not broken, (tab, theme, broken[0]["id"], broken[0]["nodes"][0]["html"])
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(BROKEN) == [], (tab, theme)
