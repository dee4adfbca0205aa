"""Captured predictions and where two versions disagree, as people read and erase them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.monitoring import actions
from apps.monitoring.models import Erasure
from apps.rollouts.models import Rollout
from tests.support.captures import line, send, text
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
SERVING = {"unit": {"header": "X-User"}, "capture": {"percent": 100, "days": 7}}


@pytest.fixture
def rollout(story: Story) -> Rollout:
    """The rollout of a version that was asked what the former one was; once they differ."""
    old, new = (story.rollout(story.live(serving=SERVING)) for _ in range(2))
    asked: list[dict[str, Any]] = [
        line(old.to_revision_id, f"customer-{n}", ago=-1, inputs=json.dumps([measured(40 + n)]))
        for n in range(4)
    ]
    captured(story, old.to_revision_id, asked)
    copy = {"revision": new.to_revision_id, "cohort": "mirrored"}
    answered = [row | copy for row in asked]
    captured(story, new.to_revision_id, [answered[0] | {"outputs": "[0]"}, *answered[1:]])
    actions.store_captures()
    said = [actions.Said(UUID(row["id"]), "chargeback", n == 2) for n, row in enumerate(asked)]
    said.append(actions.Said(uuid4(), "chargeback", 1))
    actions.report_outcomes(new.endpoint, said, actor=story.otto)
    return new


def measured(age: int) -> dict[str, Any]:
    """Return the thirty inputs of somebody of an age."""
    return {"age": age} | {f"mean measure {n}": age * n / 7 for n in range(29)}


def captured(story: Story, revision: str, lines: list[dict[str, Any]]) -> None:
    """Have the node bring what a revision answered."""
    assert send(story.node, revision, text(*lines))[0] == 201


def reads_a_prediction(page: Page, width: int) -> None:
    """See when a prediction was made and what it was beside the last of its inputs, then all of
    them; on a phone each is a card."""
    first = page.locator(".predictions tbody").first
    region = page.get_by_role("region", name="Predictions")
    region.evaluate("element => element.scrollLeft = element.scrollWidth")
    for part in (first.locator("td.when"), first.locator("td.answer").first):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.locator(".predictions thead").is_visible() == (width > 767)
    first.locator("summary").click()
    assert first.locator("dl.fields dt").all_inner_texts()[-1] == "mean measure 28"


def test_an_operator_erases_what_was_captured_of_a_unit(
    story: Story, rollout: Rollout, open_as: OpenAs
) -> None:
    page = open_as(story.people["Otto"])
    page.goto(f"/endpoints/{rollout.endpoint_id}/predictions/")
    ages = page.locator("td[data-label=age]", has_text="41")
    assert ages.count() == 2
    assert page.get_by_text(", shadow").count() == 4
    assert page.get_by_text("chargeback 1", exact=True).count() == 1
    page.get_by_text("1 waits for its prediction").wait_for()
    assert page.get_by_text("Nothing to compare yet").count() == 2  # no window tells of them
    page.get_by_role("button", name="Erase data of a subject…").click()
    page.get_by_label("The subject (unit), as requests carried it").fill("customer-1")
    page.get_by_role("button", name="Erase", exact=True).click()
    page.get_by_text("under way").wait_for()
    story.run_jobs("control")
    page.reload()
    page.get_by_text("2 predictions").wait_for()
    assert ages.count() == 0
    assert "customer-1" not in page.content()
    assert Erasure.objects.get().erased == 2


def test_the_pages_can_be_read_by_everybody(
    story: Story, rollout: Rollout, open_as: OpenAs, pictures: Path
) -> None:
    for theme, width in (("light", 1440), ("light", 390), ("dark", 1440), ("dark", 390)):
        page = open_as(story.people["Otto"], width=width, theme=theme)
        for name, path, says in (
            ("predictions", f"/endpoints/{rollout.endpoint_id}/predictions/", "Approved"),
            ("disagreements", f"/rollouts/{rollout.pk}/disagreements/", "1 of 4 pairs"),
        ):
            page.goto(path)
            page.get_by_text(says).first.wait_for()
            if name == "predictions":
                reads_a_prediction(page, width)
            page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            found = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
            assert not found, [(v["id"], v["nodes"][0]["html"][:160]) for v in found]
