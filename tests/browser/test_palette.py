"""The command palette, by keyboard, by touch, and for somebody who cannot see it."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from apps.operations.demo.story import SCIENTIST
from tests.support.installation import Running

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def model(placet: Running) -> str:
    """A model to be found."""
    with placet.person("contributor") as dana, dana.client(SCIENTIST) as client:
        client.post("/projects/clinic/models", {"name": "palette-model"})
    return "palette-model"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_keys_alone_lead_to_a_model(visit: Visit, model: str, theme: str) -> None:
    dana = visit("contributor", theme=theme)
    page = dana.go("/tokens/")
    page.locator("main input[name=name]").focus()
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Search models")
    box.wait_for()
    assert box.get_attribute("aria-expanded") == "true"  # the pages, before anything is typed
    page.keyboard.press("Escape")
    box.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.name") == "name"  # back where it was
    page.locator("h1").first.click()
    page.keyboard.press("/")
    page.keyboard.type("palette-m")
    option = page.get_by_role("option", name=model)
    option.wait_for()
    assert box.get_attribute("aria-activedescendant") == option.get_attribute("id")
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
    assert not found, [(v["id"], v["nodes"][0]["html"][:160]) for v in found]
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/models/clinic/{model}/")
    assert dana.errors == dana.foreign == []


def test_arrows_go_round_and_a_page_is_found_by_its_name(visit: Visit, model: str) -> None:
    page = visit("contributor").go("/")
    page.keyboard.press("Control+k")
    selected = page.locator("#palette [aria-selected=true]")
    selected.wait_for()
    first = selected.inner_text()
    page.keyboard.press("ArrowUp")
    last = selected.inner_text()
    assert last != first
    page.keyboard.press("ArrowDown")
    assert selected.inner_text() == first
    page.keyboard.type("deploy")
    page.get_by_role("option", name="Deployments").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/endpoints/")


def test_a_phone_has_a_button_for_it(visit: Visit, model: str) -> None:
    page = visit("contributor", width=390).go("/")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("combobox").fill("palette-model")
    option = page.get_by_role("option", name=model)
    option.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    option.click()
    page.wait_for_url(f"**/models/clinic/{model}/")


def test_it_says_so_when_nothing_matches(visit: Visit) -> None:
    page = visit("contributor").go("/")
    page.keyboard.press("/")
    page.keyboard.type("no-such-thing")
    page.get_by_text("No matches.").wait_for()
    page.get_by_role("combobox").press("Enter")
    assert page.get_by_role("option").count() == 0
