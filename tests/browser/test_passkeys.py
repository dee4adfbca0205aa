"""Approving with a passkey, from offering it to the signed decision, as people click it."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from cryptography.hazmat.primitives import serialization
from playwright.sync_api import Page

from apps.governance.models import Decision, Release
from placet.kernel.keystore import ring
from placet_verify.permit.permit import holds
from placet_verify.signing.webauthn import decode
from tests.support.authenticator import Authenticator
from tests.support.enrolment import SIGNED, Signers, authenticator, offered_passkey, signs_in_with

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
VIRTUAL = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def plug_in(page: Page, passkey: Authenticator, *, verified: bool = True) -> Callable[[], object]:
    """Give the browser an authenticator that holds ``passkey`` and says yes; ``verified``: to its
    owner. Returns what has it verify the owner from then on."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options: dict[str, Any] = VIRTUAL | {"isUserVerified": verified}
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    key = passkey.key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    credential = {
        "credentialId": base64.b64encode(decode(passkey.credential)).decode(),
        "isResidentCredential": False,
        "rpId": passkey.rp_id,
        "privateKey": base64.b64encode(key).decode(),
        "signCount": 0,
    }
    session.send(
        "WebAuthn.addCredential",
        {"authenticatorId": made["authenticatorId"], "credential": credential},
    )
    owner = {"authenticatorId": made["authenticatorId"], "isUserVerified": True}
    return lambda: session.send("WebAuthn.setUserVerified", owner)


def errors_of(page: Page) -> list[str]:
    """Keep every error that the page reports, a breach of its policy too."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    return errors


def test_a_reviewer_offers_a_passkey_an_approver_vouches_and_it_signs_the_decision(
    signers: Signers, open_as: OpenAs
) -> None:
    rita, vera, key = signers.people["Rita"], signers.people["Vera"], authenticator()
    signs_in_with(rita, key, "Laptop")
    release = signers.request("staging")

    page = open_as(rita)
    errors = errors_of(page)
    plug_in(page, key)
    page.goto(f"/releases/{release.pk}/")
    page.get_by_role("button", name="Finish review…").click()
    dialog = page.get_by_role("dialog", name="Finish review of churn:1 to staging")
    assert dialog.get_by_role("button", name="Approve").is_disabled()
    dialog.get_by_role("link", name="register one").click()
    page.get_by_label("Passkey", exact=True).select_option(label="Laptop")
    page.get_by_label("Label").fill("Rita's laptop")
    page.get_by_role("button", name="Register").click()
    page.get_by_text("Registered. Ask another approver to confirm it.").wait_for()

    other = open_as(vera)
    more = errors_of(other)
    plug_in(other, signers.keys["Vera"])
    other.goto("/passkeys/")
    row = other.locator(".gate", has_text="Rita's laptop")
    digits = key.passkey.fingerprint.removeprefix("sha256:")
    assert digits in row.inner_text().replace(" ", "")  # all of it: it is read out and compared
    row.get_by_role("button", name="Confirm passkey").click()
    other.get_by_text("You confirmed the passkey of Rita risk.").wait_for()

    page.goto(f"/releases/{release.pk}/")
    page.get_by_role("button", name="Finish review…").click()
    page.locator("#review-c").fill("Reads well,\nline by line")
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_text("Approved. Your decision is signed and logged.").wait_for()
    page.get_by_text("Signed with a passkey.").wait_for()
    assert errors + more == []

    decision = Decision.objects.get()
    assert decision.assertion["credential"] == key.credential
    permit = page.request.get(f"/api/v1/releases/{release.pk}/permit").text()
    assert holds(permit, ring()).passkeys == {rita.pk}


def test_a_passkey_that_does_not_answer_is_said_where_one_clicked(
    signers: Signers, open_as: OpenAs
) -> None:
    """The finger of somebody else; then its owner's."""
    release = signers.request("staging")
    page = open_as(signers.people["Rex"])
    owner_comes = plug_in(page, signers.keys["Rex"], verified=False)
    page.goto(f"/releases/{release.pk}/")
    page.get_by_role("button", name="Finish review…").click()
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_role("alert").get_by_text("The passkey was not used").wait_for()
    assert not Decision.objects.exists()
    owner_comes()
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_text("Signed with a passkey.").wait_for()
    assert Release.objects.get().state == "approved"


def test_a_policy_is_published_with_a_passkey(signers: Signers, open_as: OpenAs) -> None:
    page = open_as(signers.people["Vera"])
    page.goto("/policies/risk/staging/")
    page.locator("#source").fill(SIGNED + "description: Stricter\n")
    page.get_by_role("button", name="Save draft").click()
    page.get_by_text("Draft saved.").wait_for()
    other = open_as(signers.people["Vito"])
    plug_in(other, signers.keys["Vito"])
    other.goto("/policies/risk/staging/")
    other.get_by_role("button", name="Publish…").click()
    other.get_by_role("button", name="Publish with your passkey").click()
    other.get_by_text("is active.").wait_for()
    other.get_by_text("One reviewer by passkey").wait_for()


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)
def test_the_pages_read_well(
    signers: Signers, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    offered_passkey(signers.people["Rita"], name="Rita's laptop")
    signs_in_with(signers.people["Vito"], authenticator(), "Spare key")
    release = signers.request("staging")
    page = open_as(signers.people["Vito"], width=width, theme=theme)
    page.goto("/passkeys/")
    look(page, pictures / f"passkeys-{theme}-{width}.png", width)
    page = open_as(signers.people["Rex"], width=width, theme=theme)
    page.goto(f"/releases/{release.pk}/")
    page.get_by_role("button", name="Finish review…").click()
    page.get_by_text("Your passkey signs it").first.wait_for()
    look(page, pictures / f"approve-with-passkey-{theme}-{width}.png", width)


def look(page: Page, picture: Path, width: int) -> None:
    """Ask axe, see that nothing is wider than the window, and keep a picture."""
    found = Axe().run(page).response["violations"]
    bad = [v for v in found if v["impact"] in ("serious", "critical")]
    assert not bad, "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in bad)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=picture, full_page=True)
