"""The record of a release on paper: exact times, whole digests, nothing over anything else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOWN = "(e, part) => getComputedStyle(e, part).content"


def test_a_printed_record_says_when_and_what_exactly(
    world: World, open_as: Callable[..., Page], pictures: Path
) -> None:
    bento = world.bento(world.version(), metrics={"auc": 0.95})
    world.soaked(bento)
    release = world.request("production", bento)
    world.decide(release, world.rex, comment="Reads well")
    world.decide(release, world.vera, comment="Good numbers")
    page = open_as(world.people["Vera"], width=760)
    page.goto(f"/releases/{release.pk}/")
    page.emulate_media(media="print")
    page.screenshot(path=pictures / "release-printed.png", full_page=True)
    rows = page.locator(".timeline-row")
    assert rows.count() >= 4
    for row in rows.all():
        at = row.locator("time")
        assert at.get_attribute("title") in at.evaluate(SHOWN, "::after")
        when, what = at.bounding_box(), row.locator("> div").first.bounding_box()
        assert when is not None
        assert what is not None
        assert when["x"] + when["width"] <= what["x"]
    digest = page.locator(f".digest[data-copy='{bento.digest}']").first
    assert bento.digest in digest.evaluate(SHOWN, "::after")
    assert page.get_by_role("button", name="Approve").count() == 0
