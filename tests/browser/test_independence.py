"""Rules about independence on the pages: who is told what, and who says who made it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.governance.actions import draft_policy, publish_policy
from apps.governance.models import Release
from apps.identity.actions import place_person
from apps.registry.models import Declaration
from placet.kernel.actor import SYSTEM
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
DATA = "sha256:" + "d" * 64
POLICY = """\
version: 1
gates:
  - {gate: build}
  - {gate: approvals, role: reviewer, count: 2, second_line: 1, not_data_owner: true}
"""


def waiting(world: World) -> Release:
    """Ask for a release under the rules, of a version that was trained on some data."""
    draft = draft_policy(world.environment("staging"), source=POLICY, actor=world.vera)
    publish_policy(draft, actor=SYSTEM)
    place_person(world.people["Rex"], line="second", actor=SYSTEM)
    version = world.version(lineage={"datasets": [{"name": "loans-2025", "digest": DATA}]})
    return world.request("staging", world.bento(version))


def test_who_does_not_count_is_told_why_and_what_is_declared_mends_it(
    world: World, open_as: OpenAs
) -> None:
    release = waiting(world)
    rita = open_as(world.people["Rita"])
    rita.goto("/releases/")
    rita.get_by_text("You cannot count: no owner is declared of some of the data").wait_for()
    rita.goto(f"/releases/{release.pk}/")
    rita.get_by_text("Rex risk cannot count: no owner is declared").wait_for()
    assert rita.get_by_role("button", name="Finish review…").count() == 0
    alan = open_as(world.people["Alan"])
    alan.goto(f"/models/risk/churn/{release.version.number}/")
    alan.get_by_role("link", name="Contributors").click()
    alan.get_by_label("Owner (email)").fill("nobody@example.com")
    alan.get_by_role("button", name="Add").first.click()
    alan.get_by_text("Nobody in this project has this id or e-mail address").wait_for()
    alan.get_by_label("Owner (email)").fill("otto.risk@example.com")
    alan.get_by_role("button", name="Add").first.click()
    alan.get_by_text("declared by Alan risk").wait_for()
    assert Declaration.objects.get().person == world.people["Otto"].pk
    rita.reload()
    rita.get_by_role("button", name="Finish review…").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_are_usable_by_everybody(
    world: World, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    release = waiting(world)
    for who, path, name in (
        ("Alan", f"/models/risk/churn/{release.version.number}/people/", "hands"),
        ("Rita", f"/releases/{release.pk}/", "release-barred"),
        ("Rita", "/releases/", "inbox-barred"),
    ):
        page = open_as(world.people[who], width=width, theme=theme)
        page.goto(path)
        bad = [
            v
            for v in Axe().run(page).response["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert not bad, "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in bad)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=True)
