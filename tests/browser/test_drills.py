"""Rollback drills as an operator runs, plans and reads them, over a simulated node."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.rollouts.actions import finish_drill, run_planned, schedule_drills
from apps.rollouts.models import Drill, DrillSchedule, Rollout
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import now
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


@pytest.fixture
def endpoint(story: Story) -> Endpoint:
    """An endpoint whose second release is live and whose first is kept warm."""
    story.live()
    return story.live().endpoint


def go(story: Story) -> None:
    """Let jobs and node do what there is to do, and have the counts of ended drills come in."""
    story.settle()
    ended = Rollout.objects.filter(kind="drill").exclude(finished_at=None)
    ended.update(finished_at=now() - timedelta(seconds=30))
    for drill in Drill.objects.filter(state="running"):
        finish_drill(drill)


def node_breaks(story: Story) -> None:
    """Have the former revision break as soon as it gets the requests."""
    former = Revision.objects.get(number=1)
    story.run_jobs("control")
    story.node.phase[former.pk] = ("failed", "out of memory")
    go(story)


def test_an_operator_rehearses_a_rollback_and_has_it_come_round(
    story: Story, endpoint: Endpoint, open_as: OpenAs
) -> None:
    page = open_as(story.people["Otto"])
    page.goto(f"/endpoints/{endpoint.pk}/settings/")
    card = page.locator("#drills")
    card.get_by_role("button", name="Run now…").click()
    dialog = page.get_by_role("dialog", name="Run rollback test?")
    assert "All requests go to churn:1 (revision 1)" in dialog.inner_text()
    dialog.get_by_role("button", name="Run rollback test").click()
    card.locator("tr", has_text="Running").wait_for()
    assert card.get_by_role("button", name="Run now…").count() == 0
    go(story)
    page.reload()
    row = card.locator("tr", has_text="Passed")
    assert "0 failed requests" in row.inner_text()
    row.get_by_role("link").click()
    page.get_by_text("A rollback test moves all requests at once, as a rollback does").wait_for()
    page.get_by_text(
        "Returned all requests to the live revision after the rollback test"
    ).wait_for()
    page.go_back()
    card.get_by_role("button", name="Schedule…").click()
    page.get_by_label("Every").fill("7")
    page.get_by_role("button", name="Schedule", exact=True).click()
    card.get_by_text("Every 7 days at 03:00 UTC").wait_for()
    assert DrillSchedule.objects.get().every_days == 7


def test_a_rollback_is_there_while_a_drill_is_under_way(
    story: Story, endpoint: Endpoint, open_as: OpenAs
) -> None:
    page = open_as(story.people["Otto"])
    page.goto(f"/endpoints/{endpoint.pk}/settings/")
    page.locator("#drills").get_by_role("button", name="Run now…").click()
    page.get_by_role("button", name="Run rollback test").click()
    page.locator("#drills tr", has_text="Running").wait_for()
    page.locator("main").get_by_role("link", name="Overview").click()
    page.get_by_role("button", name="Roll back…").click()
    page.get_by_role("dialog", name="Roll back to churn:1?").get_by_label("Reason").fill("Wrong")
    page.get_by_role("button", name="Roll back", exact=True).click()
    page.locator("main").get_by_role("link", name="Settings").click()
    page.locator("#drills").get_by_text("A rollback was asked for meanwhile").wait_for()
    go(story)
    assert Revision.objects.get(state="live").number == 1


@pytest.mark.parametrize(
    ("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
)
def test_the_list_of_drills_reads_well(
    story: Story, endpoint: Endpoint, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    schedule = schedule_drills(endpoint, every_days=30, hour=3, actor=story.otto)
    DrillSchedule.objects.update(next_at=now() - timedelta(days=5))
    schedule.refresh_from_db()
    run_planned(schedule)  # nobody was there then: skipped
    page = open_as(story.people["Otto"], width=width, theme=theme)
    page.goto(f"/endpoints/{endpoint.pk}/settings/")
    for ending in (go, node_breaks):
        page.locator("#drills").get_by_role("button", name="Run now…").click()
        page.get_by_role("button", name="Run rollback test").click()
        page.locator("#drills tr", has_text="Running").wait_for()
        ending(story)
        page.reload()
    card = page.locator("#drills")
    card.get_by_text("It failed: out of memory").wait_for()
    card.get_by_text("Placet did not run at").wait_for()
    card.locator("tr", has_text="Passed").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"drills-{theme}-{width}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
