"""A canary as an operator sees and steers it, over a simulated node; the page renews itself."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.governance.actions import update_environment
from apps.governance.models import Release
from apps.monitoring.models import MetricWindow
from apps.rollouts.actions import skip
from apps.rollouts.models import Rollout
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
CANARY = {
    "strategy": "canary",
    "steps": [
        {"set_weight": 5},
        {"pause": {"duration_seconds": 86_400}},
        {"set_weight": 50},
        {"pause": {}},
    ],
}
AT_NIGHT = {
    "strategy": "blue_green",
    "steps": [{"pause": {"duration_seconds": 28_800}}],
}
SERIOUS = ("serious", "critical")


@pytest.fixture
def canary(story: Story) -> Release:
    """A canary that is at 5% and has answered a thousand requests with the old one."""
    story.live()
    release = story.release("development", plan=CANARY)
    story.settle()
    rollout = story.rollout(release)
    for revision, good, bad in ((rollout.from_revision, 949, 1), (rollout.to_revision, 50, 0)):
        assert revision is not None
        MetricWindow.objects.create(
            node=story.node.id,
            revision=revision.pk,
            started_at=now() + timedelta(seconds=1),
            seconds=10,
            status_2xx=good,
            status_5xx=bad,
            latency={"25": good + bad},
        )
    return release


def say(page: Page, verb: str, reason: str) -> None:
    """Open a dialog, write why, and confirm, by keyboard alone."""
    page.wait_for_load_state()  # before its scripts run no key opens a dialog
    page.locator(f"#b-{verb}").press("Enter")
    page.locator(f"#{verb}-why:focus").wait_for()
    page.keyboard.type(reason)
    confirm = page.locator(f"#{verb} button:not([data-close]):focus")
    for _ in range(4):
        if not confirm.count():
            page.keyboard.press("Tab")
    confirm.press("Enter")


@pytest.mark.parametrize("width", [1440, 390])
def test_an_operator_steers_a_canary_and_the_page_follows(
    story: Story, canary: Release, open_as: OpenAs, width: int
) -> None:
    page = open_as(story.people["Otto"], width=width)
    page.goto(f"/endpoints/{story.rollout(canary).endpoint_id}/")
    page.get_by_role("link", name="Rolling out revision 2").first.click()
    page.get_by_text("Wait 1 d", exact=True).wait_for()
    traffic = page.locator("#rollout-now table").first
    assert traffic.locator("tr", has_text="Target").inner_text().split("\t")[1:] == [
        "5%",
        "95%",
    ]
    assert "5%" in traffic.locator("tr", has_text="Observed").inner_text()

    say(page, "pause", "Lunch")
    page.get_by_text("Paused by Otto risk").first.wait_for()
    assert story.rollout(canary).paused_by == story.otto.id
    say(page, "resume", "Back")
    page.locator("#b-pause").wait_for()

    say(page, "skip", "Seen enough at 5%")
    page.locator("[aria-current=step]", has_text="Send 50%").wait_for()
    story.settle()
    page.locator("[aria-current=step]", has_text="Wait for an operator to resume").wait_for()
    page.get_by_text("Waiting for an operator to resume it.").wait_for()
    say(page, "resume", "Well so far")
    page.get_by_text("“Well so far”").first.wait_for()  # it arrived, before the rollout goes on
    story.settle()
    page.locator("#rollout-now .card-actions", has_text="Done").first.wait_for()
    page.locator("#rollout-heading", has_text="Rolled out revision 2").wait_for()
    page.get_by_text("Skipped step 2 of the plan").wait_for()
    page.get_by_text("“Seen enough at 5%”").wait_for()
    assert page.locator("#b-abort").count() == 0
    assert Release.objects.get(pk=canary.pk).state == "live"


def test_a_stale_dialog_does_not_skip_a_second_step(
    story: Story, canary: Release, open_as: OpenAs
) -> None:
    page = open_as(story.people["Otto"])
    page.goto(f"/rollouts/{story.rollout(canary).pk}/")
    page.locator("#b-skip").click()
    page.locator("#skip-why").fill("Twice")
    skip(story.rollout(canary), step=1, reason="First", actor=story.otto)
    story.settle()
    assert story.rollout(canary).step == 3
    page.locator("#skip button:not([data-close])").click()
    page.get_by_text("The rollout has moved on to another step").wait_for()
    assert story.rollout(canary).step == 3


@pytest.mark.parametrize("width", [1440, 390])
def test_an_abort_gives_everything_back_and_can_be_tried_again(
    story: Story, canary: Release, open_as: OpenAs, width: int
) -> None:
    page = open_as(story.people["Otto"], width=width)
    page.goto(f"/rollouts/{story.rollout(canary).pk}/")
    before = story.rollout(canary)
    page.locator("#b-abort").click()
    page.locator("#abort-why").fill("Worse answers")
    page.locator("#abort button:not([data-close])").click()
    page.get_by_text("All requests return to the old revision").wait_for()
    story.settle()
    page.locator(".alert-danger", has_text="Worse answers").wait_for()
    say(page, "retry", "The node was full")
    page.wait_for_url(lambda url: before.pk not in url)
    assert Rollout.objects.filter(release=canary).count() == 2


def test_who_may_not_steer_reads_it_only(story: Story, canary: Release, open_as: OpenAs) -> None:
    page = open_as(story.people["Ada"])
    page.goto(f"/rollouts/{story.rollout(canary).pk}/")
    page.get_by_role("heading", name="Status").wait_for()
    assert page.locator("#rollout-now button[data-dialog]").count() == 0


def test_a_plan_is_chosen_and_seen_before_it_goes_out(
    story: Story, canary: Release, open_as: OpenAs
) -> None:
    bento = story.world.bento(story.world.version())
    page = open_as(story.people["Ada"])
    page.goto(f"/releases/new/?version={bento.version_id}")
    page.get_by_label("Careful canary").check()
    page.get_by_label("After approval").select_option("manual")
    page.get_by_role("button", name="Submit request").click()
    page.wait_for_url("**/releases/rel_*/")  # the form draws the same picture
    page.get_by_role("img", name="1% until the analysis passes, then 5% until").wait_for()
    asked = Release.objects.get(bento=bento)
    assert (asked.plan["strategy"], asked.plan["start"]) == ("canary", "manual")
    assert page.get_by_text("Careful canary ·").count() == 1


def test_the_form_says_of_the_endpoint_and_the_environment_that_are_chosen_what_is_live(
    story: Story, canary: Release, open_as: OpenAs
) -> None:
    bento, live = story.world.bento(story.world.version()), canary.endpoint.name
    page = open_as(story.people["Ada"])
    page.goto(f"/releases/new/?version={bento.version_id}")
    said = page.get_by_text("all traffic is sent at once there")
    endpoint, environment = page.get_by_label("Endpoint", exact=True), page.locator("#environment")
    environment.select_option("development")
    endpoint.fill(live)
    expect(said).to_be_hidden()
    environment.select_option("staging")
    expect(said).to_contain_text(f"Nothing is live in staging at {live} yet")
    endpoint.fill("fresh")
    expect(said).to_contain_text("Nothing is live in staging at fresh yet")
    environment.select_option("development")
    expect(said).to_contain_text("Nothing is live in development at fresh yet")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_pages_are_usable_by_everybody(
    story: Story, canary: Release, open_as: OpenAs, pictures: Path, theme: str
) -> None:
    """axe finds nothing serious; nothing scrolls sideways on a phone."""
    bento = story.world.bento(story.world.version())
    places = {
        "rollout": f"/rollouts/{story.rollout(canary).pk}/",
        "rollout-release": f"/releases/{canary.pk}/",
        "rollout-ask": f"/releases/new/?version={bento.version_id}",
        "rollout-plans": "/policies/risk/development/",
    }
    place = story.world.environment("development")
    update_environment(place, plans={"in-two-days": CANARY, "by-night": AT_NIGHT}, actor=SYSTEM)
    people = story.people
    for name, path in places.items():
        who = people["Ada"] if name == "rollout-ask" else people["Otto"]
        page = open_as(who, theme=theme)
        page.goto(path)
        found = [v for v in Axe().run(page).response["violations"] if v["impact"] in SERIOUS]
        assert not found, f"{name}: " + "; ".join(
            f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found
        )
        page.screenshot(path=pictures / f"{name}-{theme}-1440.png", full_page=True)
        phone = open_as(who, theme=theme, width=390)
        phone.goto(path)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, name
        phone.screenshot(path=pictures / f"{name}-{theme}-390.png", full_page=True)


def test_who_tests_an_endpoint_under_a_canary_reads_which_revision_answered(
    story: Story, canary: Release, open_as: OpenAs
) -> None:
    newer = story.rollout(canary).to_revision
    answer = {"status": 200, "revision": newer.pk, "model": "churn:2", "body": {"prediction": 1}}
    page = open_as(story.people["Otto"])
    page.route("**/predict", lambda route: route.fulfill(json=answer))
    page.goto(f"/endpoints/{canary.endpoint_id}/test/")
    said = page.locator("form[data-predict]")
    expect(said).to_contain_text("revision 2 (churn:2)")
    expect(said).to_contain_text("revision 1 (churn:1)")
    expect(said).not_to_contain_text("Answered by")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(said).to_contain_text("Answered by revision 2 (churn:2).")
    answer["revision"] = "rev_that_began_since"
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(said).to_contain_text("Answered by churn:2.")
