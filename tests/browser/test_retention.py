"""Retention, legal holds, archives and time stamps, as an access admin and an auditor see them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.assurance.actions import archive_events, archiving, place_hold, set_retention
from apps.assurance.models import LegalHold
from apps.audit.actions import record, write_checkpoint
from apps.audit.events import AUDIT_EXPORTED
from apps.audit.models import TimestampState
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.database import owning_tables
from tests.support.factories import actor_of, person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
VIEWS = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]


@pytest.fixture
def archived(own_checkpoints: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive, two holds, an authority that stamped and one that did not answer."""
    own_checkpoints()
    with record(SYSTEM) as log:
        for _ in range(300):
            log.add(AUDIT_EXPORTED, subject="log", data={"format": "csv", "count": 1})
    set_retention(days=730, actor=SYSTEM)
    ravi = actor_of(person("Ravi", {"auditor": None}))
    subject = "rel_" + "0" * 32
    place_hold(
        name="case-2026-17",
        scope="object",
        subject=subject,
        reason="letter of the court of 3 May: keep all about the release",
        actor=ravi,
    )
    head = write_checkpoint()
    assert head is not None
    later = now() + timedelta(days=800)
    monkeypatch.setattr(archiving, "database_now", lambda: later)
    with owning_tables():
        assert list(archive_events(actor=SYSTEM))
    write_checkpoint()
    TimestampState.objects.create(authority="acme", size=head.size, at=now())
    TimestampState.objects.create(authority="second", error="It answered 503", attempts=2)


def sound(page: Page, name: str, pictures: Path) -> None:
    """Fail where the page breaks a rule of access or is wider than the screen."""
    page.screenshot(path=pictures / f"{name}.png", full_page=True)
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
    assert not found, [(v["id"], v["nodes"][0]["html"][:160]) for v in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.usefixtures("archived")
@pytest.mark.parametrize(("theme", "width"), VIEWS)
def test_the_pages_say_what_is_held_what_was_archived_and_who_stamped_it(
    theme: str, width: int, open_as: OpenAs, pictures: Path
) -> None:
    page = open_as(person("Alma", {"auditor": None, "admin": None}), theme=theme, width=width)
    page.goto("/audit/retention/")
    expect(page.get_by_text("730 days")).to_be_visible()
    sound(page, f"retention-{theme}-{width}", pictures)
    page.goto("/audit/7/")
    expect(page.get_by_role("heading", name="This event was archived")).to_be_visible()
    sound(page, f"archived-{theme}-{width}", pictures)
    page.goto("/audit/witnesses/")
    expect(page.get_by_text("It answered 503")).to_be_visible()
    sound(page, f"stamped-{theme}-{width}", pictures)


@pytest.mark.usefixtures("archived")
def test_a_hold_is_placed_and_another_persons_is_lifted(open_as: OpenAs) -> None:
    page = open_as(person("Alma", {"auditor": None}))
    page.goto("/audit/retention/")
    page.get_by_label("Name").fill("case-2")
    page.get_by_label("Reason", exact=True).fill("a letter")
    page.get_by_role("button", name="Place hold").click()
    expect(page.get_by_text("Someone else must lift it")).to_be_visible()
    page.get_by_label("Why case-2026-17 is lifted").fill("closed")
    page.get_by_role("button", name="Lift case-2026-17").click()
    expect(page.get_by_text("by Alma")).to_have_count(2)
    assert LegalHold.objects.get(name="case-2026-17").state == "lifted"
    assert LegalHold.objects.get(name="case-2").state == "standing"
