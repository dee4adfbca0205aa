"""Alerts and objectives, as an operator meets them; a simulated node reports bad figures."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.monitoring import actions, reconciler
from apps.monitoring.models import Alert, MetricWindow, Objective
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import now
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


@pytest.fixture
def endpoint(story: Story) -> Endpoint:
    """An endpoint whose live version fails its objective, and has one to go back to."""
    story.live()
    endpoint = story.live().endpoint
    terms = ObjectiveTerms(availability=0.999, latency_ms=250, min_requests=10)
    actions.set_objective(endpoint, terms=terms, actor=story.otto)
    count(story, endpoint, good=950, bad=50)
    reconciler.watch_endpoints()
    return endpoint


def count(story: Story, endpoint: Endpoint, *, good: int, bad: int) -> None:
    """Have nothing be counted but this, an hour after the version went live."""
    live = Revision.objects.get(endpoint=endpoint, state="live")
    Revision.objects.filter(pk=live.pk).update(live_at=now() - timedelta(hours=1))
    MetricWindow.objects.all().delete()
    MetricWindow.objects.create(
        node=story.node.id,
        revision=live.pk,
        started_at=now(),
        seconds=10,
        status_2xx=good,
        status_5xx=bad,
        latency={"25": good, "500": bad},
    )


def test_an_operator_sees_what_is_wrong_and_takes_it_on(
    story: Story, endpoint: Endpoint, open_as: OpenAs
) -> None:
    page = open_as(story.people["Otto"])
    page.goto("/")
    page.get_by_text("Objective not met").first.wait_for()
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("acknowledged by Otto risk").wait_for()
    assert Alert.objects.get().state == "acknowledged"
    page.goto("/alerts/")
    assert page.get_by_text("95% of 1000 requests").count() == 1
    count(story, endpoint, good=1000, bad=0)
    reconciler.watch_endpoints()
    page.reload()
    page.get_by_text("no open alerts").wait_for()
    page.get_by_role("heading", name="Resolved").wait_for()


def test_an_objective_is_changed_and_removed_on_the_page(
    story: Story, endpoint: Endpoint, open_as: OpenAs
) -> None:
    page = open_as(story.people["Otto"])
    page.goto(f"/endpoints/{endpoint.pk}/settings/")
    page.get_by_text("Not met").first.wait_for()
    page.get_by_role("button", name="Change…").click()
    page.get_by_label("Responses without server error").fill("90,5")
    page.get_by_label("take at most").select_option("500")
    page.get_by_label("A breach rolls back").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("rolls back, once").wait_for()
    page.locator(".state.pass", has_text="Met").wait_for()
    row = Objective.objects.get()
    assert (row.availability, row.latency_ms, row.latency_quantile) == (0.905, 500, 0.99)
    assert (row.roll_back, row.expect_traffic, row.owner) == (True, False, story.otto.id)
    page.get_by_role("button", name="Change…").click()
    page.get_by_label("Responses without server error").fill("20")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("✕ From 50 to 100%, such as 99.9").wait_for()
    page.get_by_role("button", name="Remove").click()
    page.get_by_text("No SLO set").wait_for()
    assert not Objective.objects.exists()


def test_who_may_not_handle_it_reads_it_only(
    story: Story, endpoint: Endpoint, open_as: OpenAs
) -> None:
    page = open_as(story.people["Ada"])
    page.goto("/alerts/")
    page.get_by_text("Objective not met").first.wait_for()
    assert page.get_by_role("button", name="Acknowledge").count() == 0
    page.goto(f"/endpoints/{endpoint.pk}/settings/")
    assert page.get_by_role("button", name="Change…").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_can_be_used_by_everybody(
    story: Story, endpoint: Endpoint, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    page = open_as(story.people["Otto"], width=width, theme=theme)
    for name, path in (
        ("alerts", "/alerts/"),
        ("alert-home", "/"),
        ("alert-endpoint", f"/endpoints/{endpoint.pk}/"),
        ("alert-settings", f"/endpoints/{endpoint.pk}/settings/"),
    ):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        if name == "alert-settings":
            page.get_by_role("button", name="Change…").click()
            page.screenshot(path=pictures / f"objective-{theme}-{width}.png")
            found = violations(page)
            assert not found, found
            page.keyboard.press("Escape")
        page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = violations(page)
        assert not found, found


def violations(page: Page) -> list[Any]:
    """Return what axe finds, minor things aside."""
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
    return [(v["id"], v["nodes"][0]["html"][:160]) for v in found]
