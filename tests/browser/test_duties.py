"""Separation of duties as an auditor reads it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.support import factories
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)
def test_an_auditor_reads_how_few_could_and_by_which_steps(
    world: World, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    factories.person("Ann Access", roles={"admin": None})
    factories.grant(world.people["Ada"], {"operator": (world.project, "production")})
    page = open_as(factories.person("Eve", roles={"auditor": None}), width=width, theme=theme)
    page.goto("/duties/")
    section = page.get_by_role("region", name="production")
    section.locator(".state").get_by_text("Fewer than required").wait_for()
    assert "The policy requires 3 people." in section.inner_text()
    assert section.get_by_role("listitem").first.inner_text().startswith("Ada risk drafts a policy")
    section.get_by_text("1 could do it with fake accounts").click()
    section.get_by_text("Ann Access adds a fake account (“made up 1”)").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"duties-{theme}-{width}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
