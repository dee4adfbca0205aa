"""Whose signatures over models count, as an approver says it and a data scientist reads it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.registry.actions import revoke_signing_key, trust_signing_key
from apps.registry.models import SigningKey
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.signed_models import public_pem, signing_key
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


def test_an_approver_trusts_a_key_and_revokes_it(world: World, open_as: OpenAs) -> None:
    world.version()
    page = open_as(world.people["Vera"])
    page.goto("/models/risk/churn/")
    page.get_by_role("link", name="Signing keys").click()
    page.get_by_text("No trusted keys yet").wait_for()
    page.get_by_label("Owner").fill("training-team")
    page.get_by_label("Public key (PEM)").fill("not a key")
    page.get_by_role("button", name="Trust it").click()
    page.get_by_text("✕ This is not a public key in PEM form").wait_for()
    assert page.get_by_label("Owner").input_value() == "training-team"
    page.get_by_label("Public key (PEM)").fill(public_pem(signing_key()))
    page.get_by_role("button", name="Trust it").click()
    page.locator(".state", has_text="Trusted").wait_for()
    page.get_by_role("button", name="Revoke training-team").click()
    page.locator(".state", has_text="Revoked").wait_for()
    assert SigningKey.objects.get().revoked_by == world.people["Vera"].pk


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_are_usable_by_everybody(
    world: World, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    labels = ("training-team", "contractor-2025", "research")
    keys = [
        trust_signing_key(
            world.project,
            label=label,
            pem=public_pem(signing_key()),
            actor=world.vera,
            valid_until=now() + timedelta(days=400) if label == "research" else None,
        )
        for label in labels
    ]
    revoke_signing_key(keys[1], actor=SYSTEM)
    version = world.version()
    found = {"result": "trusted", "key": keys[0].fingerprint, "files": 4}
    world.measured(version, "model_signature", **found)
    for who, path, name in (
        ("Vera", "/signing-keys/risk/", "signing-keys"),
        ("Ada", f"/models/risk/churn/{version.number}/", "version-signed"),
    ):
        page = open_as(world.people[who], width=width, theme=theme)
        page.goto(path)
        bad = [
            v
            for v in Axe().run(page).response["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert not bad, "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in bad)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=True)
