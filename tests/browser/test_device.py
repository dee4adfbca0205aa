"""The page where a person lets a command line have a token: by keyboard, and on a phone too."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.identity.actions import begin_device_login, collect_token
from apps.identity.models import DeviceLogin
from apps.identity.rules.devices import shown_code
from tests.browser.test_passkeys import errors_of
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
SERIOUS = {"serious", "critical"}


def waiting(client: str = "placet 0.2.0 on dana-laptop") -> tuple[str, str]:
    """A command line waits; return what it asks with, and the code that it shows."""
    codes = begin_device_login(client=client, address="203.0.113.5")
    return codes.device_code, shown_code(codes.user_code)


def looked_at(page: Page, picture: Path, width: int) -> None:
    """Look at the page as somebody who needs its contrast, its labels, or a narrow one."""
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] in SERIOUS]
    assert not found, [(v["id"], v["nodes"][0]["html"][:160]) for v in found]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=picture, full_page=True)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_state_of_the_page_can_be_used_by_everybody(
    world: World, open_as: OpenAs, pictures: Path, width: int, theme: str
) -> None:
    page = open_as(world.people["Ada"], width=width, theme=theme)
    errors = errors_of(page)
    _, code = waiting("W" * 120)
    for name, path in (
        ("device-code", "/device/"),
        ("device-wrong", "/device/?code=BCDF-GHJK"),
        ("device", f"/device/?code={code}"),
        ("tokens", "/tokens/"),
    ):
        page.goto(path)
        looked_at(page, pictures / f"{name}-{theme}-{width}.png", width)
    page.get_by_label("Custom").check()
    looked_at(page, pictures / f"tokens-custom-{theme}-{width}.png", width)
    page.goto(f"/device/?code={code}")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("heading", name="Login approved").wait_for()
    looked_at(page, pictures / f"device-confirmed-{theme}-{width}.png", width)
    assert errors == []


def test_keys_alone_confirm_it(world: World, open_as: OpenAs) -> None:
    device_code, code = waiting()
    page = open_as(world.people["Ada"])
    page.goto("/device/")
    page.get_by_label("Code").focus()
    page.keyboard.type(code.lower())
    page.keyboard.press("Enter")
    page.get_by_text(code, exact=True).wait_for()
    page.get_by_text("dana-laptop").first.wait_for()
    page.get_by_label("Command line").focus()
    assert page.get_by_label("Command line").is_checked()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.get_by_label("Read only").is_checked()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Login approved").wait_for()
    token, _ = collect_token(device_code)
    assert token.scopes
    assert all(scope.endswith(".view") for scope in token.scopes)


def test_each_permission_is_shown_once_somebody_wants_to_choose_it(
    world: World, open_as: OpenAs
) -> None:
    device_code, code = waiting()
    page = open_as(world.people["Ada"])
    page.goto(f"/device/?code={code}")
    box = page.get_by_label("Register models", exact=True)
    assert not box.is_visible()
    page.get_by_label("Custom").check()
    assert not box.is_checked()
    box.check()
    page.get_by_role("button", name="Confirm").dblclick()
    page.get_by_role("heading", name="Login approved").wait_for()
    token, _ = collect_token(device_code)
    assert {"model.create", "model.view"} < set(token.scopes)
    assert "release.request" not in token.scopes


def test_who_did_not_start_it_denies_it(world: World, open_as: OpenAs) -> None:
    _, code = waiting()
    page = open_as(world.people["Ada"])
    page.goto(f"/device/?code={code}")
    page.get_by_text("Continue only if you started this login yourself").wait_for()
    page.get_by_role("button", name="Deny").click()
    page.get_by_role("heading", name="Login denied").wait_for()
    assert DeviceLogin.objects.get().state == "denied"


def test_a_link_preselects_what_a_token_is_for(world: World, open_as: OpenAs) -> None:
    page = open_as(world.people["Ada"])
    page.goto("/tokens/?preset=ci")
    assert page.get_by_label("CI: register and build").is_checked()
    page.get_by_label("Name").fill("nightly")
    page.get_by_role("button", name="Create token").click()
    page.get_by_text("plc_").first.wait_for()
