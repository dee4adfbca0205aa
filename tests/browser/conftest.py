"""A real Chromium, and the whole platform behind it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from placet_protocol.cookies import SESSION
from tests.support.factories import browser
from tests.support.installation import Running
from tests.support.offline import Second
from tests.support.processes import chromium_binary

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium(pytestconfig: pytest.Config) -> Iterator[Browser]:
    """Debian's Chromium. Playwright's event loop must not outlive the browser tests.

    ``--headed`` (and ``--slowmo 300``) of pytest-playwright show what it does.
    """
    headed = pytestconfig.getoption("--headed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_binary(headed=headed),
            args=ARGUMENTS,
            headless=not headed,
            slow_mo=pytestconfig.getoption("--slowmo"),
        )
        yield browser
        browser.close()


# Nobody presses a button before the scripts of its page have run, only a test is that fast.
LOADS_FIRST = """
new MutationObserver((_, seen) => {
  const root = document.documentElement;
  if (!root) return;
  seen.disconnect();
  root.style.pointerEvents = "none";
  document.addEventListener("DOMContentLoaded", () => { root.style.pointerEvents = ""; });
}).observe(document, { childList: true });
"""


class Visitor:
    """Somebody in front of the browser, signed in; every error the page reports is kept."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url = context, url
        context.add_init_script(LOADS_FIRST)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(30_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        self.foreign: list[str] = []
        self.page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.foreign.append(url)

    def go(self, path: str) -> Page:
        """Open a page."""
        response = self.page.goto(self.url + path)
        assert response is not None
        assert response.status < 400, f"{path} answered {response.status}"
        return self.page

    def sign_in(self, email: str, password: str) -> None:
        """Sign in through the form."""
        self.go("/accounts/login/")
        self.page.fill("input[name=login]", email)
        self.page.fill("input[name=password]", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(self.url + "/")


@pytest.fixture
def visit(placet: Running, chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Sign a person of the demo in: ``visit("approver")``, ``visit("admin")``."""
    contexts: list[BrowserContext] = []

    def make(role: str, *, width: int = 1440, theme: str = "light") -> Visitor:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,  # type: ignore[arg-type]
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        visitor = Visitor(context, placet.url)
        who = placet.account(role)
        visitor.sign_in(who["email"], who["password"])
        return visitor

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def database_beside_playwright(django_db_setup: None, chromium: Browser) -> Iterator[None]:
    """Playwright keeps an event loop on this thread; no coroutine of ours touches the database.

    Beside a loop Django keeps a connection of its own: the database is made before there is one,
    and the connection closed while it runs.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield
        connections.close_all()


@pytest.fixture
def open_as(
    database_beside_playwright: None, live_server: Any, chromium: Browser
) -> Iterator[Callable[..., Page]]:
    """Open the browser for somebody of a test's own world, over Django's live server:
    ``open_as(world.people["Otto"])``. Its pages are left before the tables are emptied."""
    contexts: list[BrowserContext] = []

    def make(
        who: Any,
        *,
        width: int = 1440,
        theme: str = "light",
        scripts: bool = True,
        zone: str = "UTC",
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,  # type: ignore[arg-type]
            base_url=live_server.url,
            java_script_enabled=scripts,
            timezone_id=zone,
        )
        contexts.append(context)
        context.add_init_script(LOADS_FIRST)
        cookie = browser(who).cookies[SESSION].value
        context.add_cookies([{"name": SESSION, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.set_default_timeout(30_000)
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: ``PLACET_SCREENSHOTS`` when somebody wants to keep them."""
    asked = os.environ.get("PLACET_SCREENSHOTS")
    folder = Path(asked) if asked else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def second(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    opened = Second(chromium, tmp_path_factory.mktemp("verifier"))
    yield opened
    assert (opened.errors, opened.requests) == ([], [opened.file.as_uri()])
    opened.context.close()
