"""The requester asks a reviewer by name, who finds it marked in the inbox, and goes away."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.governance.actions import update_environment
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.browser.test_kept_forms import checked
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


def test_a_reviewer_is_asked_by_name_and_finds_it_in_the_inbox(
    world: World, open_as: OpenAs, pictures: Path
) -> None:
    release = world.request("staging")
    page = open_as(world.people["Ada"])
    page.goto(f"/releases/{release.pk}/")
    page.get_by_role("button", name="Request review…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Rita risk").check()
    dialog.get_by_label("Due in (days)").fill("2")
    checked(page, pictures, "request-review")
    dialog.get_by_role("button", name="Request review", exact=True).click()
    page.get_by_text("Review requested.").wait_for()
    expect(page.get_by_role("button", name="Remove Rita risk")).to_be_visible()
    checked(page, pictures, "reviewers")

    inbox = open_as(world.people["Rita"])
    inbox.goto("/inbox/")
    expect(inbox.get_by_text("Ada risk asked you")).to_be_visible()
    checked(inbox, pictures, "asked-by-name")

    inbox.goto("/absence/")
    inbox.get_by_label("Deputy").select_option("Rex risk")
    inbox.get_by_label("Last day (UTC)").fill("2099-01-01")
    checked(inbox, pictures, "absence")
    inbox.get_by_role("button", name="Save").click()
    inbox.get_by_text("366 days after the beginning at most").first.wait_for()
    inbox.get_by_label("Deputy").select_option("Rex risk")
    inbox.get_by_label("Last day (UTC)").fill(f"{now() + timedelta(days=5):%Y-%m-%d}")
    inbox.get_by_role("button", name="Save").click()
    inbox.get_by_role("button", name="I am back").wait_for()
    checked(inbox, pictures, "away")
    page.reload()
    expect(page.get_by_text("Rex risk stands in")).to_be_visible()

    page.get_by_role("button", name="Remove Rita risk").click()
    page.get_by_text("Nobody was asked by name").wait_for()


def test_the_form_offers_who_decides_in_the_environment_that_is_chosen(
    world: World, open_as: OpenAs
) -> None:
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: reviewer, count: 1}]\n")
    for place, days in (("staging", 1), ("production", 5)):
        update_environment(world.environment(place), review_days=days, actor=SYSTEM)
    page = open_as(world.people["Ada"])
    page.goto(f"/releases/new/?version={world.bento(world.version()).build.version_id}")
    page.get_by_label("Environment").select_option("production")
    expect(page.get_by_label("Vera risk")).to_be_visible()
    expect(page.get_by_text("Leave empty for 5 days")).to_be_visible()
    expect(page.get_by_text("Leave empty for 1 day,")).to_be_hidden()
    page.get_by_label("Vera risk").check()
    page.get_by_label("Environment").select_option("staging")
    expect(page.get_by_label("Rita risk")).to_be_visible()
    expect(page.get_by_label("Vera risk")).to_be_hidden()
    expect(page.get_by_text("Leave empty for 1 day,")).to_be_visible()
    expect(page.get_by_text("Leave empty for 5 days")).to_be_hidden()
    expect(page.locator("input[name=reviewers]:checked:not(:disabled)")).to_have_count(0)
    page.get_by_label("Environment").select_option("development")
    expect(page.get_by_text("Reviewers (optional)")).to_be_hidden()
    expect(page.get_by_label("Review due in (days)")).to_be_hidden()
