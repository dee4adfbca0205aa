"""A canary as an operator sees and steers it, over a simulated node; the page renews itself."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.governance.actions import update_environment
from apps.governance.models import Release
from apps.monitoring.models import MetricWindow
from apps.rollouts.actions import skip
from apps.rollouts.models import Rollout
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.nodes import SimulatedNode, run
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
RunJobs = Callable[..., int]
CANARY = {
    "strategy": "canary",
    "steps": [
        {"set_weight": 5}, {"pause": {"duration_seconds": 86_400}},
        {"set_weight": 50}, {"pause": {}},
    ],
}  # fmt: skip
AT_NIGHT = {
    "strategy": "blue_green", "steps": [{"pause": {"duration_seconds": 28_800}}],
}  # fmt: skip
SERIOUS = ("serious", "critical")


class Story:
    """A canary that is at 5 % and has answered a thousand requests with the old one."""

    def __init__(self, run_jobs: RunJobs) -> None:
        self.world, self.run_jobs = World(), run_jobs
        self.node = SimulatedNode.joined(self.world.target)
        self.node.report()
        self.world.request("development")
        self.go()
        self.release = self.world.request("development", plan=CANARY)
        self.go()
        for revision, good, bad in (
            (self.rollout.from_revision, 949, 1), (self.rollout.to_revision, 50, 0),
        ):  # fmt: skip
            assert revision is not None
            MetricWindow.objects.create(
                node=self.node.id, revision=revision.pk, started_at=now() + timedelta(seconds=1),
                seconds=10, status_2xx=good, status_5xx=bad, latency={"25": good + bad},
            )  # fmt: skip

    def go(self) -> None:
        """Let jobs and node do what there is to do."""
        run(self.node, self.run_jobs)

    @property
    def rollout(self) -> Rollout:
        """The canary as it stands."""
        rows = Rollout.objects.select_related("from_revision", "to_revision")
        return rows.get(release=self.release)


@pytest.fixture
def story(run_jobs: RunJobs) -> Story:
    return Story(run_jobs)


def say(page: Page, verb: str, reason: str) -> None:
    """Open a dialog, write why, and confirm."""
    page.locator(f"#b-{verb}").click()
    page.locator(f"#{verb}-why").fill(reason)
    page.locator(f"#{verb} button:not([data-close])").click()


def test_an_operator_steers_a_canary_and_the_page_follows(story: Story, open_as: OpenAs) -> None:
    page = open_as(story.world.people["Otto"])
    page.goto(f"/endpoints/{story.rollout.endpoint_id}/")
    page.get_by_role("link", name="Release to revision 2").click()
    page.get_by_text("Wait 1 d").wait_for()
    traffic = page.locator("#rollout-now table").first
    assert traffic.locator("tr", has_text="Planned").inner_text().split("\t")[1:] == [
        "5 %", "95 %",
    ]  # fmt: skip
    assert "5 %" in traffic.locator("tr", has_text="Counted").inner_text()

    say(page, "pause", "Lunch")
    page.get_by_text("Held by Otto risk").wait_for()
    assert story.rollout.paused_by == story.world.otto.id
    say(page, "resume", "Back")
    page.locator("#b-pause").wait_for()

    say(page, "skip", "Seen enough at 5 %")
    page.locator("[aria-current=step]", has_text="Send 50 %").wait_for()
    story.go()
    page.locator("[aria-current=step]", has_text="Wait until a person goes on").wait_for()
    page.get_by_text("Waits for somebody to go on").wait_for()
    say(page, "resume", "Well so far")
    story.go()
    page.locator("#rollout-now .card-actions", has_text="Done").first.wait_for()
    page.get_by_text("Skipped step 2 of the plan").wait_for()
    page.get_by_text("“Seen enough at 5 %”").wait_for()
    assert page.locator("#b-abort").count() == 0
    assert Release.objects.get(pk=story.release.pk).state == "live"


def test_a_stale_dialog_does_not_skip_a_second_step(story: Story, open_as: OpenAs) -> None:
    page = open_as(story.world.people["Otto"])
    page.goto(f"/rollouts/{story.rollout.pk}/")
    page.locator("#b-skip").click()
    page.locator("#skip-why").fill("Twice")
    skip(story.rollout, step=1, reason="First", actor=story.world.otto)
    story.go()
    assert story.rollout.step == 3
    page.locator("#skip button:not([data-close])").click()
    page.get_by_text("The rollout is at another step by now").wait_for()
    assert story.rollout.step == 3


def test_an_abort_gives_everything_back_and_can_be_tried_again(
    story: Story, open_as: OpenAs
) -> None:
    page = open_as(story.world.people["Otto"])
    page.goto(f"/rollouts/{story.rollout.pk}/")
    before = story.rollout
    page.locator("#b-abort").click()
    page.locator("#abort-why").fill("Worse answers")
    page.locator("#abort button:not([data-close])").click()
    page.get_by_text("All requests go to the old revision again").wait_for()
    story.go()
    page.locator(".alert-danger", has_text="Worse answers").wait_for()
    say(page, "retry", "The node was full")
    page.wait_for_url(lambda url: before.pk not in url)
    assert Rollout.objects.filter(release=story.release).count() == 2


def test_who_may_not_steer_reads_it_only(story: Story, open_as: OpenAs) -> None:
    page = open_as(story.world.people["Ada"])
    page.goto(f"/rollouts/{story.rollout.pk}/")
    page.get_by_text("Where it is").wait_for()
    assert page.locator("#rollout-now button[data-dialog]").count() == 0


def test_a_plan_is_chosen_and_seen_before_it_goes_out(story: Story, open_as: OpenAs) -> None:
    bento = story.world.bento(story.world.version())
    page = open_as(story.world.people["Ada"])
    page.goto(f"/releases/new/?version={bento.version_id}")
    page.get_by_label("Careful canary").check()
    page.get_by_label("When it is approved").select_option("manual")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_role("img", name="1 % until it is analysed, then 5 % until").wait_for()
    asked = Release.objects.get(bento=bento)
    assert (asked.plan["strategy"], asked.plan["start"]) == ("canary", "manual")
    assert page.get_by_text("Careful canary ·").count() == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_its_pages_are_usable_by_everybody(
    story: Story, open_as: OpenAs, pictures: Path, theme: str
) -> None:
    """axe finds nothing serious; nothing scrolls sideways on a phone."""
    bento = story.world.bento(story.world.version())
    places = {
        "rollout": f"/rollouts/{story.rollout.pk}/",
        "rollout-release": f"/releases/{story.release.pk}/",
        "rollout-ask": f"/releases/new/?version={bento.version_id}",
        "rollout-plans": "/policies/risk/development/",
    }
    place = story.world.environment("development")
    update_environment(place, plans={"in-two-days": CANARY, "by-night": AT_NIGHT}, actor=SYSTEM)
    people = story.world.people
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
