"""Deployments on a date, as an auditor asks it of the pages."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.audit.actions import write_checkpoint
from apps.rollouts import actions
from placet.kernel.clock import now
from tests.support import factories
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CANARY = {"strategy": "canary", "steps": [{"set_weight": 60}, {"pause": {}}]}


@pytest.mark.usefixtures("own_checkpoints")
@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_an_auditor_finds_what_served_at_a_time_and_who_approved_it(
    story: Story, open_as: Callable[..., Page], pictures: Path, width: int, theme: str
) -> None:
    story.live("staging")
    second = story.release("staging", plan=CANARY)
    story.approve(second, by="Rita")
    story.settle()
    canary = now()
    actions.abort(story.rollout(second), reason="worse", actor=story.otto)
    story.settle()
    eve = factories.person("Eve", roles={"auditor": None, "viewer": story.world.project})

    write_checkpoint()
    page = open_as(eve, width=width, theme=theme)
    page.goto("/audit/")
    page.get_by_role("link", name="Deployments on a date").click()
    page.locator("tbody tr").first.wait_for()
    assert page.locator("tbody").get_by_text("60%").count() == 0
    page.goto(f"/deployments/?at={canary:%Y-%m-%dT%H:%M:%S.%fZ}")
    row = page.locator("tr", has_text="60%")
    row.get_by_text("Rita risk").wait_for()
    row.get_by_role("link", name="it began").click()
    page.get_by_text("Revision 2 is ready with").first.wait_for()
    with page.expect_download() as proof:
        page.get_by_role("link", name="As a file").click()
    assert b"c2sp.org/tlog-proof@v1" in proof.value.path().read_bytes()

    page.goto("/deployments/")
    page.get_by_label("Date and time (UTC)").fill("2999-01-01T00:00:00")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("alert").get_by_text("still to come").wait_for()
    page.goto(f"/deployments/?at={canary:%Y-%m-%dT%H:%M:%S.%fZ}")
    page.get_by_text("60%").first.wait_for()
    page.screenshot(path=pictures / f"deployments-{theme}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
    assert not seen, [(v["id"], v["nodes"][0]["html"][:160]) for v in seen]
