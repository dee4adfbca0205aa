"""A session that was left open: its person is asked to confirm, and finds what was typed again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Page

from apps.governance.models import Decision, PolicyRevision
from apps.identity.models import ApiToken, RoleBinding, User
from placet_protocol.cookies import SESSION
from tests.browser.test_passkeys import errors_of, plug_in
from tests.support.authenticator import Authenticator
from tests.support.enrolment import authenticator, signs_in_with
from tests.support.factories import grant, grow_old, person
from tests.support.world import OPEN, World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
PASSWORD = "correct horse battery staple"
VALUES = "boxes => boxes.map(box => box.value)"


@pytest.fixture
def rosa(world: World) -> User:
    """Somebody who reviews, approves, builds and gives access, and has a password."""
    roles = {"reviewer": world.project, "approver": world.project, "admin": None}
    return person("Rosa", roles, password=PASSWORD)


def leave_open(page: Page) -> None:
    """Let the session be one whose person authenticated 16 minutes ago."""
    client = Client()
    cookies = {c.get("name"): c.get("value", "") for c in page.context.cookies()}
    client.cookies[SESSION] = cookies[SESSION]
    grow_old(client)


def asked(page: Page) -> None:
    """Wait until one is asked, and the page is there with the script that keeps what was typed."""
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    page.wait_for_load_state()


def confirm(page: Page) -> None:
    """Say again who one is, by the password."""
    asked(page)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def test_who_decides_is_asked_for_the_password_and_finds_the_comment_again(
    world: World, rosa: User, open_as: OpenAs
) -> None:
    release = world.request("staging")
    page = open_as(rosa)
    errors = errors_of(page)
    page.goto(f"/releases/{release.pk}/")
    page.get_by_role("button", name="Finish review…").click()
    dialog = page.get_by_role("dialog", name="Finish review of churn:1 to staging")
    dialog.get_by_label("Comment").fill("Worse on Mondays,\nsee the plot")
    leave_open(page)
    dialog.get_by_role("button", name="Reject").click()
    asked(page)
    assert not Decision.objects.exists()
    page.locator("input[name=password]").fill("a guess")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("Incorrect password").wait_for()
    confirm(page)
    page.wait_for_url(f"**/releases/{release.pk}/")
    assert not Decision.objects.exists()
    dialog.wait_for()
    assert dialog.get_by_label("Comment").input_value() == "Worse on Mondays,\nsee the plot"
    dialog.get_by_role("button", name="Reject").click()
    page.get_by_text("Rejected.").first.wait_for()
    assert Decision.objects.get().verdict == "reject"
    page.reload()
    assert page.evaluate("sessionStorage.getItem('placet.typed')") is None
    assert errors == []


def test_by_a_passkey_too(world: World, rosa: User, open_as: OpenAs) -> None:
    key: Authenticator = authenticator()
    signs_in_with(rosa, key, "Laptop")
    release = world.request("staging")
    page = open_as(rosa)
    plug_in(page, key)
    page.goto(f"/releases/{release.pk}/")
    leave_open(page)
    page.get_by_role("button", name="Finish review…").click()
    page.locator("#review-c").fill("Reads well")
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_role("link", name="Use a security key").click()
    page.wait_for_url("**/2fa/webauthn/reauthenticate/**")  # with the script that the button needs
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url(f"**/releases/{release.pk}/")
    assert page.locator("#review-c").input_value() == "Reads well"
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_text("Approved. Your decision is signed and logged.").wait_for()


def test_a_token_and_a_policy_are_not_typed_twice(
    world: World, rosa: User, open_as: OpenAs
) -> None:
    page = open_as(rosa)
    page.goto("/tokens/")
    page.get_by_label("Name").fill("nightly")
    page.get_by_label("Valid for").select_option("90")
    page.get_by_label("Custom").check()
    page.get_by_label("View releases").uncheck()
    page.get_by_label("Draft policies").check()
    chosen = page.eval_on_selector_all("input[name=scopes]:checked", VALUES)
    leave_open(page)
    page.get_by_role("button", name="Create token").click()
    confirm(page)
    page.wait_for_url("**/tokens/")
    assert page.get_by_label("Name").input_value() == "nightly"
    assert page.get_by_label("Valid for").input_value() == "90"
    assert page.get_by_label("Custom").is_checked()
    assert page.eval_on_selector_all("input[name=scopes]:checked", VALUES) == chosen
    page.get_by_role("button", name="Create token").click()
    page.get_by_text("plc_").first.wait_for()
    scopes = ApiToken.objects.get().scopes
    assert sorted(scopes) == sorted(chosen)
    assert "policy.draft" in scopes
    assert "release.view" not in scopes

    page.goto("/policies/risk/staging/")
    page.locator("#source").fill(OPEN + "description: Mine\n")
    leave_open(page)
    page.get_by_role("button", name="Save draft").click()
    confirm(page)
    page.wait_for_url("**/policies/risk/staging/")
    assert page.locator("#source").input_value() == OPEN + "description: Mine\n"
    page.get_by_role("button", name="Save draft").click()
    page.get_by_text("Draft saved.").wait_for()
    assert PolicyRevision.objects.get(state="draft").drafted_by == rosa.pk


def test_a_role_is_given_after_the_password(rosa: User, open_as: OpenAs) -> None:
    bob = person("Bob")
    page = open_as(rosa)
    errors = errors_of(page)
    page.goto("/admin/identity/rolebinding/add/")
    page.get_by_label("Role").select_option("auditor")
    page.get_by_label("Person").select_option(bob.pk)
    leave_open(page)
    page.get_by_role("button", name="Save", exact=True).click()
    confirm(page)
    page.wait_for_url("**/rolebinding/add/")
    assert page.get_by_label("Role").input_value() == "auditor"
    assert page.get_by_label("Person").input_value() == bob.pk
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/rolebinding/")
    assert RoleBinding.objects.get(person=bob).role == "auditor"
    assert errors == []


def test_what_was_sent_and_done_is_not_put_back(world: World, rosa: User, open_as: OpenAs) -> None:
    """Nor is it on another page, nor for whoever uses the tab next."""
    grant(rosa, {"contributor": world.project})
    release = world.request("staging")
    page = open_as(rosa)
    page.goto(f"/releases/{release.pk}/")
    page.get_by_role("button", name="Finish review…").click()
    page.locator("#review textarea").fill("Said once")
    page.get_by_role("button", name="Comment", exact=True).click()
    page.get_by_text("“Said once”").wait_for()
    assert page.locator("#review textarea").input_value() == ""
    leave_open(page)
    page.get_by_role("button", name="Finish review…").click()
    page.locator("#review textarea").fill("Not sent")
    page.get_by_role("button", name="Reject", exact=True).click()
    asked(page)
    page.goto("/")
    page.goto(f"/releases/{release.pk}/")
    assert page.locator("#review textarea").input_value() == ""
    assert not page.locator("#review").is_visible()


def sign_in(page: Page, who: User) -> None:
    """Sign in as somebody who has a password."""
    page.get_by_role("heading", name="Sign in to Placet").wait_for()
    page.locator("input[name=login]").fill(who.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_who_was_signed_out_meanwhile_finds_the_comment_again_and_nobody_else_does(
    world: World, rosa: User, open_as: OpenAs
) -> None:
    bob = person("Bob", {"reviewer": world.project}, password=PASSWORD)
    path = f"/releases/{world.request('staging').pk}/"
    page = open_as(rosa)
    errors = errors_of(page)
    for who, finds in ((rosa, "Worse on Mondays"), (bob, "")):
        page.goto(path)
        page.get_by_role("button", name="Finish review…").click()
        page.locator("#review textarea").fill("Worse on Mondays")
        page.context.clear_cookies(name=SESSION)
        page.get_by_role("button", name="Reject", exact=True).click()
        sign_in(page, who)
        page.wait_for_url(f"**{path}")
        assert page.locator("#review textarea").input_value() == finds
        assert page.locator("#review").is_visible() == bool(finds)
    assert not Decision.objects.exists()
    assert errors == []


def test_who_signed_in_again_in_another_tab_is_told_and_finds_the_comment_again(
    world: World, rosa: User, open_as: OpenAs, pictures: Path
) -> None:
    path = f"/releases/{world.request('staging').pk}/"
    page = open_as(rosa)
    page.goto(path)
    page.get_by_role("button", name="Finish review…").click()
    page.locator("#review textarea").fill("Worse on Mondays")
    page.context.clear_cookies(name=SESSION)
    other = page.context.new_page()
    other.goto("/")
    sign_in(other, rosa)
    other.get_by_label("Your menu").wait_for()
    page.get_by_role("button", name="Reject", exact=True).click()
    page.get_by_text("signed in again in another tab").wait_for()
    page.emulate_media(reduced_motion="reduce")  # a colour on its way has less contrast
    for width, theme in ((1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("theme => document.documentElement.dataset.bsTheme = theme", theme)
        page.screenshot(path=pictures / f"stale-form-{theme}-{width}.png")
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Back to the form").click()
    page.wait_for_url(f"**{path}")
    assert page.locator("#review textarea").input_value() == "Worse on Mondays"
    page.get_by_role("button", name="Reject", exact=True).click()
    page.get_by_text("Rejected.").first.wait_for()


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)
def test_the_page_that_asks_reads_well(
    world: World, rosa: User, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    signs_in_with(rosa, authenticator(), "Laptop")
    release = world.request("staging")
    page = open_as(rosa, width=width, theme=theme)
    page.goto(f"/releases/{release.pk}/")
    leave_open(page)
    page.get_by_role("button", name="Finish review…").click()
    page.locator("#review textarea").fill("Worse on Mondays")
    page.get_by_role("button", name="Reject", exact=True).click()
    asked(page)
    page.screenshot(path=pictures / f"confirm-{theme}-{width}.png", full_page=True)
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    confirm(page)
    page.wait_for_url(f"**/releases/{release.pk}/")
    page.locator("#review textarea").wait_for()
    page.screenshot(path=pictures / f"confirmed-{theme}-{width}.png")
