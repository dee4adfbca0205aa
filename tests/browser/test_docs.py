"""The guides in a browser: a word is found, and nothing is tried that the policy refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.conftest import Visitor
from tests.support.web import serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_a_word_is_found_and_leads_to_its_place(
    chromium: Browser, address: str, pictures: Path, width: int, theme: str
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=theme,  # type: ignore[arg-type]
    )
    reader = Visitor(context, address)
    page = reader.go("/docs/")
    page.screenshot(path=pictures / f"docs-{theme}-{width}.png", full_page=True)
    page.get_by_role("searchbox").fill("bubblewrap")
    page.keyboard.press("Enter")
    results = page.locator("#search-results li")
    results.first.wait_for()
    page.locator("#search-results .context").first.wait_for()
    page.screenshot(path=pictures / f"docs-search-{theme}-{width}.png", full_page=True)
    page.get_by_role("link", name="Nodes").and_(page.locator("#search-results a")).first.click()
    page.get_by_role("heading", name="Nodes", exact=False).first.wait_for()
    assert "/docs/nodes.html" in page.url
    assert "bubblewrap" in page.inner_text("main")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == theme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
    assert not found, [(v["id"], v["nodes"][0]["html"][:160]) for v in found]
    page.screenshot(path=pictures / f"docs-nodes-{theme}-{width}.png", full_page=True)
    assert reader.errors == reader.foreign == []
    context.close()


def test_a_phone_has_all_guides_behind_one_word(chromium: Browser, address: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    reader = Visitor(context, address)
    page = reader.go("/docs/")
    page.get_by_text("All guides").click()
    page.locator("#guides-small").get_by_role("link", name="Witnesses").click()
    page.get_by_role("heading", name="Witnesses").first.wait_for()
    page.get_by_role("link", name="Docs", exact=True).click()
    page.wait_for_url("**/docs/index.html")
    assert reader.errors == reader.foreign == []
    context.close()


def test_a_search_for_what_is_nowhere_says_so(chromium: Browser, address: str) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    reader = Visitor(context, address)
    page = reader.go("/docs/search.html?q=xyzzyplugh")
    page.get_by_text("did not match any documents").wait_for()
    assert reader.errors == reader.foreign == []
    context.close()
