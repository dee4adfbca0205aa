"""The pages of an endpoint: its traffic over time, its revisions, and the ways to call it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.monitoring.models import MetricWindow
from apps.rollouts.actions import abort
from apps.rollouts.models import Rollout
from apps.serving.actions import stop_endpoint
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import now
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
CANARY = {"strategy": "canary", "steps": [{"set_weight": 25}, {"pause": {}}]}
VIEWS = [("light", 1440), ("dark", 390)]
TABS = {
    "Revisions": "Revisions over time",
    "Test": "sends one row",
    "Settings": "No SLO set",
    "Use the API": "No API key required",
}


def traffic(revision: Revision, minutes: int, share: float = 1.0) -> None:
    """Have a node count some minutes of requests, which come and go."""
    until = int(now().timestamp()) // 10 * 10
    for place, at in enumerate(range(until - minutes * 60, until - 30, 10)):
        count = int((400 + 200 * ((place % 60) / 60)) * share)
        bad, slow = count // 150, count // 12
        MetricWindow.objects.create(
            node="nod_1",
            revision=revision.pk,
            started_at=datetime.fromtimestamp(at, UTC),
            seconds=10,
            status_2xx=count - 2 * bad,
            status_4xx=bad,
            status_5xx=bad,
            latency={"10": count // 2, "25": count - count // 2 - slow, "100": slow, "inf": 0},
        )


@pytest.fixture
def endpoint(story: Story, first_release: None) -> Endpoint:
    """An endpoint with a canary under way, and 50 minutes of requests."""
    row = story.rollout(story.under_way(CANARY))
    Rollout.objects.update(created_at=now() - timedelta(minutes=5))
    before = {
        "created_at": now() - timedelta(minutes=49),
        "finished_at": now() - timedelta(minutes=47),
    }
    Rollout.objects.exclude(pk=row.pk).update(**before)
    assert row.from_revision is not None
    traffic(row.from_revision, 50)
    traffic(row.to_revision, 5, 0.3)
    return row.endpoint


def test_the_pages_of_an_endpoint_and_the_lists(
    story: Story, endpoint: Endpoint, open_as: OpenAs, pictures: Path
) -> None:
    """Requests, errors, latency and revisions over time, each other page behind a link of its own;
    lists show the last hour and how requests are split."""
    for theme, width in VIEWS:
        page = open_as(story.people["Otto"], theme=theme, width=width)
        page.emulate_media(reduced_motion="reduce")

        def sound(name: str, page: Page = page, view: tuple[str, int] = (theme, width)) -> None:
            page.screenshot(path=pictures / f"{name}-{view[0]}-{view[1]}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            found = Axe().run(page).response["violations"]
            bad = [v for v in found if v["impact"] != "minor"]
            assert not bad, [(v["id"], v["nodes"][0]["html"][:160]) for v in bad]

        page.goto(f"/endpoints/{endpoint.pk}/")
        page.locator("#series canvas").nth(2).wait_for()
        page.locator("#revision-lines svg").first.wait_for()
        assert page.title() == "churn · development · Placet"  # and not that of where it came from
        marks = page.locator(".marks li")
        assert marks.first.inner_text().endswith("Rollout of revision 2 started")
        assert "p99 " in page.locator("figcaption", has_text="Latency").inner_text()
        sound("traffic")
        for name, says in TABS.items():
            page.locator("main").get_by_role("link", name=name, exact=True).click()
            page.get_by_text(says).first.wait_for()
            sound(f"endpoint-{name.split()[0].lower()}")
        for name, path in (("list-endpoints", "/endpoints/"), ("list-home", "/")):
            page.goto(path)
            page.locator(".bar.split[aria-label='churn:1 75%, churn:2 25%']").wait_for()
            spark = page.locator("svg.spark")
            assert " requests in the last hour" in (spark.get_attribute("aria-label") or "")
            assert spark.is_visible() == (width > 1000)
            sound(name)


def test_an_operator_looks_back_a_day_and_requires_a_key(
    story: Story, endpoint: Endpoint, open_as: OpenAs, pictures: Path
) -> None:
    page = open_as(story.people["Otto"])
    page.goto(f"/endpoints/{endpoint.pk}/")
    page.locator("#series summary").click()
    page.locator("#series details tbody tr").first.wait_for()
    times = page.locator("#series details tbody th").all_inner_texts()
    assert len(times) > 90 and len(set(times)) == len(times)  # half minutes, each by its seconds
    page.get_by_role("link", name="24 hours").click()
    page.locator(".ranges .active", has_text="24 hours").wait_for()
    page.locator("#series canvas").nth(2).wait_for()
    page.locator("#series summary").click()
    assert " ms" in page.locator("#series details tbody tr").first.inner_text()
    page.locator(".marks a").first.click()
    page.wait_for_url("**/rollouts/**")
    MetricWindow.objects.all().delete()
    page.goto(f"/endpoints/{endpoint.pk}/")
    page.get_by_text("No requests in the last hour").wait_for()
    page.screenshot(path=pictures / "traffic-none-light-1440.png", full_page=True)
    page.locator("[data-empty] a", has_text="Use the API").click()
    page.get_by_role("button", name="Require an API key…").click()
    page.get_by_text("There is no key yet").wait_for()
    page.screenshot(path=pictures / "endpoint-key-light-1440.png")
    page.get_by_role("button", name="Require an API key", exact=True).click()
    page.get_by_text("An API key is required.").wait_for()
    endpoint.refresh_from_db()
    assert endpoint.api_key_required


def test_the_versions_of_revisions_have_the_room_that_a_phone_has(
    story: Story, endpoint: Endpoint, open_as: OpenAs, pictures: Path
) -> None:
    """However much the state has to say of why a revision ended."""
    reason = "Probabilities drift for every customer who joined since the new form went live"
    abort(Rollout.objects.latest("created_at"), reason=reason, actor=story.otto)
    story.settle()
    stop_endpoint(endpoint, reason=reason, actor=story.otto)
    page = open_as(story.people["Otto"], width=390)
    page.goto(f"/endpoints/{endpoint.pk}/revisions/")
    page.screenshot(path=pictures / "revisions-stopped-light-390.png", full_page=True)
    cell = page.get_by_role("cell").filter(has_text="churn:1")
    assert "Stopped by Otto risk just now" in cell.inner_text()
    box = cell.bounding_box()
    assert box and box["width"] > 250
    assert page.get_by_text(reason).locator("visible=true").count() == 2  # of each once


def test_an_open_page_is_loaded_anew_once_somebody_else_stopped_it_but_not_over_a_dialog(
    story: Story, first_release: None, open_as: OpenAs
) -> None:
    endpoint = Endpoint.objects.get()
    page = open_as(story.people["Otto"])
    page.goto(f"/endpoints/{endpoint.pk}/")
    page.get_by_role("button", name="Scale…").click()
    page.get_by_label("Replicas, within what was approved").fill("2")
    stop_endpoint(endpoint, actor=story.otto)
    for _ in range(2):  # the second began once the first was done with
        page.wait_for_event("response", lambda answer: "seen=" in answer.url)
    assert page.get_by_label("Replicas, within what was approved").input_value() == "2"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Start…", exact=True).wait_for()
    assert page.get_by_role("button", name="Stop…").count() == 0
