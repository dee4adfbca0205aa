"""A passkey in a real browser, under the strict content security policy."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.db import connection
from playwright.sync_api import Page, sync_playwright

from apps.audit.models import Event
from placet.kernel.config import config
from placet_protocol.cookies import CSRF
from tests.support.database import sql
from tests.support.factories import person
from tests.support.processes import chromium_binary

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse battery staple"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@contextmanager
def chromium(faults: list[str]) -> Iterator[Page]:
    """Open a page with a virtual authenticator that always says yes.

    What the browser blocks or a script stumbles over goes to ``faults``. The database is not
    touched inside: Playwright's event loop runs in this thread.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_binary(), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: faults.append(str(e)))
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        yield page
        browser.close()


def add_passkey(page: Page, url: str) -> None:
    """Sign in with the password, and add a passkey."""
    page.goto(f"{url}/accounts/login/?next=/accounts/2fa/webauthn/add/")
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/webauthn/add/")
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/accounts/2fa/recovery-codes/**")


def test_a_person_adds_a_passkey_and_signs_in_with_it_alone(live_server: Any) -> None:
    cache.clear()
    ada = person("Ada", password=PASSWORD)
    faults: list[str] = []
    with chromium(faults) as page:
        add_passkey(page, live_server.url)
        page.context.clear_cookies()
        page.goto(f"{live_server.url}/accounts/login/?next=/accounts/2fa/")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{live_server.url}/accounts/2fa/")
        who = page.request.get(f"{live_server.url}/api/v1/whoami").json()
    assert (who["id"], who["second_factor"]) == (ada.pk, True)
    assert Authenticator.objects.filter(user=ada, type="webauthn").exists()
    last = Event.objects.filter(kind="session.opened.v1").latest("index")
    assert '"method":"passkey"' in last.body
    assert faults == []


# What a page does with a challenge; returns what it would send.
SIGN = """async (asked) => {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const text = (raw) =>
    btoa(String.fromCharCode(...new Uint8Array(raw)))
      .replace(/[+]/g, "-").replace(/[/]/g, "_").replace(/=/g, "");
  const publicKey = { ...asked, challenge: bytes(asked.challenge) };
  const made = await navigator.credentials.get({ publicKey });
  const parts = ["clientDataJSON", "authenticatorData", "signature", "userHandle"];
  const response = Object.fromEntries(parts.map((name) => [name, text(made.response[name])]));
  const id = text(made.rawId);
  return { id, rawId: id, type: made.type, clientExtensionResults: {}, response };
}"""
LOGIN = "/accounts/2fa/webauthn/login/"


@pytest.mark.parametrize("below", ["", "models."])
def test_only_a_page_of_ours_has_a_passkey_open_a_session(
    below: str, live_server: Any, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Whoever made a model asks for a challenge, has who opens its page touch their passkey, and
    comes in with the answer."""
    cache.clear()
    ada = person("Ada", password=PASSWORD)
    host = f"placet.localhost:{live_server.thread.port}"
    monkeypatch.setattr(config(), "public_url", f"http://{host}")
    settings.ALLOWED_HOSTS = ["placet.localhost"]
    with (
        chromium([]) as page,
        httpx.Client(base_url=live_server.url, headers={"Host": host}) as eve,
    ):
        page.route("**/score/", lambda route: route.fulfill(body="a model or not"))
        add_passkey(page, f"http://{host}")
        eve.get("/accounts/login/")
        asked = eve.get(LOGIN, headers={"X-Requested-With": "XMLHttpRequest"}).json()
        page.goto(f"http://{below}{host}/score/")
        said = page.evaluate(SIGN, asked["request_options"]["publicKey"])
        form = {"credential": json.dumps(said), "csrfmiddlewaretoken": eve.cookies[CSRF]}
        assert eve.post(LOGIN, data=form).status_code == 302
        who = eve.get("/api/v1/whoami").json()
    assert who.get("id") == (None if below else ada.pk)


def test_a_passkey_that_was_written_in_by_hand_opens_nothing(live_server: Any) -> None:
    """Eve's own passkey, put beside Ada's name: it answers for Ada, but the log does not."""
    cache.clear()
    ada = person("Ada", password=PASSWORD)
    with chromium([]) as page:
        add_passkey(page, live_server.url)
        page.context.clear_cookies()
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(take_and_put_back, ada.pk).result()
        page.goto(f"{live_server.url}/accounts/login/")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_role("heading", name="This account was changed outside Placet").wait_for()
        assert page.request.get(f"{live_server.url}/api/v1/whoami").status == 401
    last = Event.objects.filter(kind="session.refused.v1").latest("index")
    assert '"method":"not_vouched"' in last.body


def take_and_put_back(person_id: str) -> None:
    """Do by hand what Ada did: the same factor, in a row that Placet did not write."""
    sql("UPDATE mfa_authenticator SET id = id + 1000 WHERE user_id = %s", person_id)
    connection.close()
