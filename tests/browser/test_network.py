"""What a release may reach, as people ask for it, approve it and see it run."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.serving.models import Revision
from tests.support import factories
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
VIEWS = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]
FEATURES = "features.internal.example.com:6379"


def sound(page: Page, name: str, pictures: Path) -> None:
    """Fail where the page breaks a rule of access or is wider than the screen."""
    page.screenshot(path=pictures / f"{name}.png", full_page=True)
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] != "minor"]
    assert not found, [(v["id"], v["nodes"][0]["html"][:160]) for v in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.parametrize(("theme", "width"), VIEWS)
def test_a_destination_is_asked_for_approved_and_seen_in_use(
    story: Story, theme: str, width: int, open_as: OpenAs, pictures: Path
) -> None:
    story.live(serving={"egress": ["old.example.com:443"]})
    live = Revision.objects.get(state="live")
    counts = {
        "to": "old.example.com:443",
        "connections": 12_345,
        "refused": 2,
        "bytes_in": 5_000_000,
        "bytes_out": 80_000,
    }
    story.node.apart[live.pk] = {"isolation": "socket", "egress": [counts]}
    story.node.report()
    world = story.world
    world.policy(
        "development",
        "version: 1\ngates:\n  - {gate: build}\n  - {gate: isolation}\n"
        "  - {gate: approvals, role: approver, count: 1}\n",
    )
    bento = world.bento(world.version(variables=["MODE"]))
    world.another_target("ward-2", "development")
    page = open_as(world.people["Ada"], theme=theme, width=width)
    page.goto(f"/releases/new?version={bento.version.pk}")
    page.get_by_label("Endpoint", exact=True).fill("probe")
    page.get_by_label("Target (for a new endpoint)").select_option("ward-2")
    page.get_by_label("MODE", exact=True).fill("hi,  LEVEL=0.1")
    page.get_by_text("Common environment variables").click()
    page.get_by_label("OMP_NUM_THREADS").fill("2")
    page.get_by_label("Outbound access").fill(f"{FEATURES}\nx:99999\na b:1\n169.254.169.254:80")
    page.get_by_role("button", name="Submit request").click()
    expect(page.locator("#egress-fault li")).to_have_count(2)
    expect(page.locator("#egress-fault")).to_contain_text("line 2: 'x:99999'")
    expect(page.get_by_text("169.254.169.254:80 is a cloud's metadata service")).to_be_visible()
    sound(page, f"network-form-{theme}-{width}", pictures)
    page.get_by_label("Outbound access").fill(f"{FEATURES}\n169.254.169.254:80")
    page.get_by_role("button", name="Submit request").click()
    page.wait_for_url("**/releases/rel_*/")
    asked = page.url
    page = open_as(world.people["Vera"], theme=theme, width=width)
    page.goto(asked)
    expect(page.get_by_text(f"requested: {FEATURES}, 169.254.169.254:80")).to_be_visible()
    expect(page.get_by_text("A network of its own").first).to_be_visible()
    expect(page.locator(".variable").first).to_have_text("MODE = hi,  LEVEL=0.1")
    expect(page.get_by_text("169.254.169.254:80 is a cloud's metadata service")).to_be_visible()
    expect(page.get_by_text("no node of the target ward-2 has said yet")).to_be_visible()
    sound(page, f"network-release-{theme}-{width}", pictures)
    page.get_by_role("button", name="Finish review…").click()
    expect(page.locator("#review")).to_contain_text("Target: ward-2")
    sound(page, f"network-approve-{theme}-{width}", pictures)
    page = open_as(world.people["Otto"], theme=theme, width=width)
    page.goto(f"/endpoints/{live.endpoint_id}/settings/")
    expect(page.get_by_role("heading", name="Network")).to_be_visible()
    expect(page.get_by_text(re.compile("12.345 opened"))).to_be_visible()
    sound(page, f"network-endpoint-{theme}-{width}", pictures)
    shared = {"isolation": "shared", "egress": [counts]}
    story.node.apart[live.pk] = shared
    story.node.report()
    page.reload()
    expect(page.get_by_text("It can reach whatever the host can.")).to_be_visible()
    sound(page, f"network-shared-{theme}-{width}", pictures)
    page.goto("/endpoints/")
    mark = page.locator("table").get_by_text("the host's network").filter(visible=True)
    expect(mark).to_be_visible()
    page.get_by_label("Isolation").select_option("shared")
    expect(mark).to_be_visible()
    sound(page, f"network-list-{theme}-{width}", pictures)
    manager = factories.person("Olga", roles={"operator": None})
    page = open_as(manager, theme=theme, width=width)
    page.goto("/targets/ward-2/")
    expect(page.get_by_text("ward-2 has no address yet")).to_be_visible()
    sound(page, f"network-target-{theme}-{width}", pictures)
