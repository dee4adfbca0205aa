"""A reviewer requests changes, a newer version answers them, and the reviewer approves that."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.governance.models import Decision, Release
from placet.kernel.keystore import ring
from placet_verify.permit.permit import holds
from tests.browser.test_kept_forms import checked
from tests.browser.test_passkeys import errors_of, plug_in
from tests.support.enrolment import Signers

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
WHY = "Show the gap\nby age, please"


def finish(page: Page, way: str, comment: str = "") -> None:
    """Finish the review that is open in one of its ways."""
    page.get_by_role("button", name="Finish review…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Comment").fill(comment)
    dialog.get_by_role("button", name=way, exact=True).click()


def test_changes_are_requested_answered_by_a_newer_version_and_approved(
    signers: Signers, open_as: OpenAs, pictures: Path
) -> None:
    rex, first = signers.people["Rex"], signers.request("staging")
    page = open_as(rex)
    errors = errors_of(page)
    plug_in(page, signers.keys["Rex"])
    page.goto(f"/releases/{first.pk}/")
    finish(page, "Request changes")
    expect(page.get_by_role("dialog")).to_be_visible()  # it asks for a comment first
    assert not Decision.objects.exists()
    checked(page, pictures, "finish-review")
    page.get_by_role("dialog").get_by_label("Comment").fill(WHY)
    page.get_by_role("dialog").get_by_role("button", name="Request changes").click()
    page.get_by_text("the release is held until you decide again").wait_for()
    expect(page.locator("[data-page-state]")).to_contain_text("Changes requested by Rex risk")
    page.get_by_text("Signed with a passkey.").wait_for()
    checked(page, pictures, "held")
    assert Decision.objects.get().assertion["credential"] == signers.keys["Rex"].credential

    author = open_as(signers.people["Alan"])
    author.goto("/inbox/")
    row = author.locator("tr", has_text="Show the gap")
    expect(row).to_contain_text("by Rex risk")
    checked(author, pictures, "changes-to-make")
    row.get_by_role("link").first.click()
    author.get_by_text("Request a release of a newer version behind churn").wait_for()

    second = signers.request("staging")
    page.goto("/inbox/")
    page.get_by_role("link", name="churn:2").first.click()
    page.get_by_text("Answers changes requested").wait_for()
    page.get_by_text("Release 1 is still held.").wait_for()
    page.emulate_media(media="print")
    assert page.get_by_text("Answers changes requested").is_visible()
    page.emulate_media(media="screen")
    finish(page, "Comment", "Reading it now")
    page.get_by_text("“Reading it now”").wait_for()
    finish(page, "Approve")
    page.get_by_text("Approved. Your decision is signed and logged.").wait_for()
    permit = page.request.get(f"/api/v1/releases/{second.pk}/permit").text()
    assert holds(permit, ring()).passkeys == {rex.pk}

    asker = open_as(signers.people["Ada"])
    asker.goto(f"/releases/{first.pk}/")
    asker.get_by_role("link", name="Release 2 (churn:2)").wait_for()
    asker.get_by_role("button", name="Withdraw…").click()
    asker.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    asker.get_by_text("Withdrawn.", exact=True).first.wait_for()
    assert Release.objects.get(pk=first.pk).state == "withdrawn"
    assert errors == []


def test_who_asked_lifts_it_alone_and_that_starts_it(signers: Signers, open_as: OpenAs) -> None:
    release: Any = signers.request("staging")
    page = open_as(signers.people["Rex"], width=390)
    plug_in(page, signers.keys["Rex"])
    page.goto(f"/releases/{release.pk}/")
    finish(page, "Request changes", WHY)
    page.get_by_text("the release is held until you decide again").wait_for()
    finish(page, "Withdraw my request for changes")
    page.get_by_text("Your request for changes is withdrawn.").wait_for()
    finish(page, "Request changes", WHY)
    page.get_by_text("the release is held until you decide again").wait_for()
    page.get_by_role("button", name="Finish review…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Your request for changes is lifted by it.")
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    page.get_by_text("Approved. Your decision is signed and logged.").wait_for()
    assert [d.voided_reason for d in Decision.objects.order_by("pk")] == [
        "withdrawn",
        "decided_again",
        "",
    ]
