"""A recall as people do it and watch it: what it would reach, why, and what is confirmed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.assurance.models import Recall
from apps.governance.models import Release
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
PLAN = {"keep_warm_seconds": 3600}


@pytest.fixture
def live(story: Story) -> Release:
    """What an endpoint serves while its first version is kept warm."""
    story.live(plan=PLAN)
    return story.live(plan=PLAN)


def recalled(live: Release, page: Page) -> Recall:
    """Recall what is live, as Vera does from its page."""
    version = live.version
    page.goto(f"/models/risk/{version.model.name}/{version.number}/")
    page.get_by_role("link", name="Recall…").click()
    page.get_by_text("1 release at 1 endpoint affected").wait_for()
    page.get_by_text("roll back to revision 1").wait_for()
    assert not Recall.objects.exists()
    page.get_by_label("Reason").fill("It answers wrongly for people over 80")
    page.get_by_role("button", name="Recall", exact=True).click()
    page.get_by_text("0 of 1").wait_for()
    return Recall.objects.get()


def test_a_recall_is_watched_until_its_node_has_signed(
    story: Story, live: Release, open_as: OpenAs
) -> None:
    page = open_as(story.people["Vera"])
    found = recalled(live, page)
    page.get_by_text("1 is open").wait_for()
    story.run_jobs("control")
    story.node.confirm()
    page.get_by_text("1 of 1").wait_for()  # without a reload
    page.get_by_text("nothing of it was running at").wait_for()
    page.goto(f"/endpoints/{live.endpoint_id}/")
    page.get_by_text("The node has confirmed that").wait_for()
    page.goto(f"/releases/{live.pk}/")
    page.get_by_text("It can no longer be deployed").wait_for()
    page.get_by_role("link", name="Open recall").click()
    assert page.url.endswith(f"/recalls/{found.pk}/")
    assert page.get_by_role("button", name="Withdraw recall…").count() == 0, (
        "another person lifts it"
    )

    vito = open_as(story.people["Vito"])
    vito.goto(f"/recalls/{found.pk}/")
    vito.get_by_role("button", name="Withdraw recall…").click()
    vito.get_by_label("Reason").fill("A false alarm")
    vito.get_by_role("button", name="Withdraw recall", exact=True).click()
    vito.get_by_role("heading", name="recall withdrawn").wait_for()
    assert Recall.objects.get().state == "lifted"


def test_the_pages_can_be_read_by_everybody(
    story: Story, live: Release, open_as: OpenAs, pictures: Path
) -> None:
    found = recalled(live, open_as(story.people["Vera"]))
    asked = f"?kind=version&project=risk&what={live.version_id}"
    for theme, width in (("light", 1440), ("light", 390), ("dark", 1440), ("dark", 390)):
        page = open_as(story.people["Otto"], width=width, theme=theme)
        for name, path, says in (
            ("recalls", "/recalls/", "Version"),
            ("recall-new", f"/recalls/new/{asked}", "affected"),
            ("recall", f"/recalls/{found.pk}/", "Revoked, endpoint fell back"),
            ("recall-endpoint", f"/endpoints/{live.endpoint_id}/", "was recalled"),
        ):
            page.goto(path)
            page.get_by_text(says).first.wait_for()
            page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
            seen = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
            assert not seen, [(v["id"], v["nodes"][0]["html"][:160]) for v in seen]
