"""Somebody comes by the company's identity provider and is not let in: what the pages say."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.integration.identity.conftest import provider
from tests.integration.identity.identity_provider import Provider, come_in
from tests.support.factories import person

__all__ = ["provider"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ADA = {"email": "ada@example.com", "email_verified": True}
Come = Callable[..., Page]


@pytest.fixture
def come(
    database_beside_playwright: None,
    live_server: Any,
    provider: Provider,
    chromium: Browser,
    settings: Any,
) -> Iterator[Come]:
    """Go to the sign-in page and on to the provider, as who the claims say."""
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    to = {"form-action": [*directives["form-action"], provider.address]}
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives | to}
    contexts = []

    def go(width: int, theme: Any, **claims: Any) -> Page:
        contexts.append(
            chromium.new_context(
                viewport={"width": width, "height": 900},
                color_scheme=theme,
                base_url=live_server.url,
            )
        )
        page = contexts[-1].new_page()
        provider.at_the_door = claims
        page.goto("/accounts/login/")
        page.get_by_role("button", name="Company").click()
        return page

    yield go
    for context in contexts:
        context.close()


def sound(page: Page, width: int, picture: Path) -> None:
    """Wait for the page that does not let in, and read it."""
    page.get_by_role("link", name="Back to sign-in").wait_for()
    page.screenshot(path=picture, full_page=True)
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)
def test_who_is_not_let_in_reads_what_happened_and_what_to_do(
    provider: Provider, come: Come, pictures: Path, width: int, theme: str
) -> None:
    person("Ada")
    come_in(provider, **ADA)
    page = come(width, theme, sub="u-2", **ADA)
    sound(page, width, pictures / f"sso-other-identity-{theme}-{width}.png")
    assert "linked to another identity" in page.inner_text("h1")
    page = come(width, theme, sub="u-3", email="eve@example.com", email_verified=True)
    sound(page, width, pictures / f"sso-unknown-{theme}-{width}.png")
    page = come(width, theme, sub=["u-1"], **ADA)
    sound(page, width, pictures / f"sso-odd-answer-{theme}-{width}.png")
    assert "Details for the admin: sub is a list, not a text." in page.inner_text("main")
    provider.instead["/token"] = b"{"
    page = come(width, theme, sub="u-1", **ADA)
    sound(page, width, pictures / f"sso-no-answer-{theme}-{width}.png")
    assert "It did not answer as it should" in page.inner_text("main")
    page.get_by_role("link", name="Back to sign-in").click()
    page.get_by_role("button", name="Company").wait_for()
