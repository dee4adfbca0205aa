"""Exact times, whoever reads them where, and the record of a release on paper."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from tests.support import factories
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOWN = "(e, part) => getComputedStyle(e, part).content"


def exact(time: Locator, ahead: timedelta = timedelta()) -> str:
    """Return the time that an element stands for, as a clock so far ahead of UTC shows it."""
    at = datetime.fromisoformat(time.get_attribute("datetime") or "")
    return f"{at.astimezone(UTC) + ahead:%Y-%m-%d %H:%M:%S}"


def test_times_are_those_of_the_readers_zone_with_utc_on_hover(
    world: World, open_as: Callable[..., Page]
) -> None:
    release, ahead = world.request("staging"), timedelta(hours=5, minutes=30)
    page = open_as(factories.person("Aude", {"auditor": None}), zone="Asia/Kolkata")
    page.goto(f"/releases/{release.pk}/")
    row = page.locator(".timeline-row time").first
    here = f"{exact(row, ahead)} GMT+5:30"
    assert row.get_attribute("title") == f"{here}\n{exact(row)} UTC"
    page.goto(f"/audit/?subject={release.pk}")
    when = page.locator("main time").first
    assert when.inner_text() == f"{exact(when, ahead)} GMT+5:30"
    assert when.get_attribute("title") == f"{exact(when)} UTC"


def test_a_printed_record_says_when_and_what_exactly(
    world: World, open_as: Callable[..., Page], pictures: Path
) -> None:
    bento = world.bento(world.version(), metrics={"auc": 0.95})
    world.soaked(bento)
    release = world.request("production", bento)
    world.decide(release, world.rex, comment="Reads well")
    world.decide(release, world.vera, comment="Good numbers")
    page = open_as(world.people["Vera"], width=760, zone="Asia/Kolkata")
    page.goto(f"/releases/{release.pk}/")
    page.emulate_media(media="print")
    page.screenshot(path=pictures / "release-printed.png", full_page=True)
    rows = page.locator(".timeline-row")
    assert rows.count() >= 4
    for row in rows.all():
        at = row.locator("time")
        assert at.evaluate(SHOWN, "::after") == f'"{exact(at)} UTC"'
        when, what = at.bounding_box(), row.locator("> div").first.bounding_box()
        assert when is not None
        assert what is not None
        assert when["x"] + when["width"] <= what["x"]
    digest = page.locator(f".digest[data-copy='{bento.digest}']").first
    assert bento.digest in digest.evaluate(SHOWN, "::after")
    assert page.get_by_role("button", name="Finish review").count() == 0
