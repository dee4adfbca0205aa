"""Witnesses of the log, as an access admin names them and an auditor reads them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.audit.actions import record, write_checkpoint
from apps.audit.actions.cosigning import witness_log
from apps.audit.actions.witnesses import add_witness
from apps.audit.events import AUDIT_EXPORTED
from apps.audit.models import WitnessedHead, WitnessState
from apps.audit.queries.witnesses import own_keys
from apps.audit.rules import gap
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_verify.log.checkpoint import verifier_key
from placet_verify.signing.keys import PrivateKey
from tests.support.factories import person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
VIEWS = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]


@pytest.fixture
def watched(own_checkpoints: Callable[[], Path]) -> None:
    """Three witnesses, of which one is away and one saw more than there is; a log of others."""
    with record(SYSTEM) as log:
        for _ in range(1100):
            log.add(AUDIT_EXPORTED, subject="log", data={"format": "csv", "count": 1})
    head = write_checkpoint()
    assert head is not None
    key = own_keys().witness_key
    office = add_witness(
        name="head-office",
        kind="http",
        address="https://placet.example/witness",
        key=key,
        actor=SYSTEM,
    )
    away = add_witness(
        name="locked", kind="s3", address="s3://audit-lock/log?region=eu-central-1", actor=SYSTEM
    )
    ahead = add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
    seen = now() - timedelta(seconds=4)
    states = WitnessState.objects
    states.filter(pk=office.pk).update(size=head.size, seen_at=seen)
    states.filter(pk=away.pk).update(error="The bucket refuses: AccessDenied", attempts=3)
    states.filter(pk=ahead.pk).update(
        size=head.size,
        seen_at=seen,
        fault="ahead",
        sentence=gap("Witness vault saw", head.size + 104, head.size, seen),
    )
    log_key = verifier_key("placet.dev/log/0123456789abcdef", PrivateKey.generate().public)
    witness_log(key=log_key, actor=SYSTEM)
    WitnessedHead.objects.create(
        origin="placet.dev/log/0123456789abcdef", size=4711, root=b"r" * 32, cosigned_at=seen
    )


def sound(page: Page, name: str, pictures: Path) -> None:
    """Fail where the page breaks a rule of access or is wider than the screen."""
    page.screenshot(path=pictures / f"{name}.png", full_page=True)
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
    assert not found, [(v["id"], v["nodes"][0]["html"][:160]) for v in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(("theme", "width"), VIEWS)
def test_the_pages_say_who_saw_what_and_which_events_are_missing(
    theme: str, width: int, open_as: OpenAs, pictures: Path
) -> None:
    page = open_as(person("Alma", {"auditor": None, "admin": None}), theme=theme, width=width)
    page.goto("/audit/witnesses/")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("(104 of them) are missing")
    expect(page.get_by_role("table").first).to_contain_text("Up to date")
    expect(page.get_by_role("table").first).to_contain_text("Has events that are missing here")
    sound(page, f"witnesses-{theme}-{width}", pictures)
    page.goto("/audit/")
    expect(page.get_by_role("alert")).to_contain_text("are missing")
    sound(page, f"audit-witnessed-{theme}-{width}", pictures)


def test_an_access_admin_adds_a_witness_and_takes_it_away(open_as: OpenAs) -> None:
    page = open_as(person("Ada", {"admin": None}))
    page.goto("/audit/witnesses/")
    page.get_by_label("Name").fill("Head Office")
    page.get_by_label("Address").fill("https://placet.example/witness")
    page.get_by_label("Verifier key (if it co-signs)").fill(own_keys().witness_key)
    page.get_by_role("button", name="Add it").click()
    page.get_by_text("Lower-case letters").wait_for()
    assert page.get_by_label("Address").input_value() == "https://placet.example/witness"
    page.get_by_label("Name").fill("head-office")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("table")).to_contain_text("Pending")
    page.get_by_role("button", name="Remove head-office").click()
    expect(page.get_by_text("No external witness")).to_be_visible()
