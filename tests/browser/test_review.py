"""A review from the request to what is live and on paper: on a desk and on a phone."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.discussions.models import Thread
from apps.governance.models import Decision
from tests.browser.test_decisions import TWO
from tests.browser.test_requested_changes import finish
from tests.browser.test_widths import OUTSIDE
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
METRIC = "expected_calibration_error"
WHY = "Calibrate it: see the discussion"
ASKED = "Half of the scores above 0.9 are wrong, @alan.risk"


@contextmanager
def within_a_minute(who: str) -> Iterator[None]:
    """Hold what somebody does from their inbox to their decision against a minute."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < 60, f"{who} took {took:.0f} s"


def open_from_inbox(page: Page, version: str) -> None:
    """Go to what waits for one's decision, as it is found there."""
    page.goto("/inbox/")
    page.locator("tr", has_text=version).get_by_role("link").first.click()
    page.get_by_role("button", name="Finish review…").wait_for()


def found(page: Page, *texts: str) -> None:
    """Look that somebody who decides finds these on the page that they are on."""
    for text in texts:
        expect(page.locator("main")).to_contain_text(text)
    assert page.evaluate(OUTSIDE) == []


@pytest.mark.parametrize("width", [1440, 390])
def test_a_team_reviews_a_release_until_it_is_live_and_prints_it(
    story: Story, open_as: OpenAs, pictures: Path, width: int
) -> None:
    world = story.world
    world.policy("staging", TWO)
    first = story.release(
        "staging", world.bento(world.version(), metrics={"auc": 0.95, METRIC: 0.3})
    )
    rex = open_as(story.people["Rex"], width=width)
    with within_a_minute("Rex"):
        open_from_inbox(rex, "churn:1")
        found(rex, "requested by Ada risk", "nothing is live there", "an approver and a reviewer")
        rex.get_by_role("link", name="Evidence", exact=True).click()
        found(rex, METRIC, "0.3")
        rex.get_by_role("link", name=f"Discuss {METRIC}").click()
        rex.get_by_label("Comment", exact=True).fill(ASKED)
        rex.get_by_role("button", name="Open discussion").click()
        rex.get_by_text("Mentioned: Alan risk").wait_for()
        open_from_inbox(rex, "churn:1")
        finish(rex, "Request changes", WHY)
        rex.get_by_text("the release is held until you decide again").wait_for()
    _answer(open_as(story.people["Alan"], width=width))
    second = story.release(
        "staging", world.bento(world.version(), metrics={"auc": 0.95, METRIC: 0.04})
    )
    with within_a_minute("Rex"):
        open_from_inbox(rex, "churn:2")
        found(rex, "Answers changes requested", WHY, "0.04")
        finish(rex, "Approve")
        rex.get_by_text("Approved. Your decision is signed and logged.").wait_for()
    vera = open_as(story.people["Vera"], width=width)
    with within_a_minute("Vera"):
        open_from_inbox(vera, "churn:2")
        found(
            vera,
            "Rex risk approved",
            "Answers changes requested",
            "Yours is the last approval it needs",
        )
        vera.screenshot(path=pictures / f"review-last-vote-{width}.png", full_page=True)
        finish(vera, "Approve")
        vera.get_by_text("Approved. Your decision is signed and logged.").wait_for()
    story.node.step()  # people took longer than a node may be silent
    story.settle()
    assert story.state(second) == "live"
    vera = open_as(story.people["Vera"], width=width)  # the page of before renews itself
    vera.goto(f"/releases/{second.pk}/")
    found(vera, "Live")
    vera.emulate_media(media="print")
    for name in ("What Rex risk saw", "What Vera risk saw"):
        vera.get_by_role("heading", name=name).wait_for()
    found(vera, "Answers changes requested", "0.04")
    vera.screenshot(path=pictures / f"review-printed-{width}.png", full_page=True)
    assert [(d.release_id, d.verdict) for d in Decision.objects.order_by("pk")] == [
        (first.pk, "request_changes"),
        (second.pk, "approve"),
        (second.pk, "approve"),
    ]


def _answer(alan: Page) -> None:
    """Have the version's author find what is asked of them, and answer."""
    alan.goto("/inbox/")
    expect(alan.locator("tr", has_text="Calibrate it")).to_contain_text("by Rex risk")
    alan.goto(f"/threads/{Thread.objects.get().pk}/")
    found(alan, "Half of the scores above 0.9 are wrong")
    alan.get_by_label("Comment", exact=True).fill("Isotonic regression, in the next version")
    alan.get_by_role("button", name="Reply").click()
    alan.locator("article").get_by_text("Isotonic regression").wait_for()
