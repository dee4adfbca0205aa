"""One canary at four moments, with its lines over time: it runs, is analysed, waits, goes back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db.models import F
from playwright.sync_api import Page

from apps.monitoring.models import MetricWindow
from apps.rollouts.actions import abort, resume
from apps.rollouts.models import Look, Rollout
from placet.kernel.clock import now, rfc3339
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
METRICS = [{"metric": "error_rate", "margin": 0.01}]
CANARY = {
    "strategy": "canary",
    "steps": [
        {"set_weight": 5},
        {"pause": {"duration_seconds": 300}},
        {"analysis": {"metrics": METRICS, "minimum_requests": 4_000}},
        {"pause": {}},
        {"set_weight": 50},
        {"analysis": {"metrics": METRICS}},
    ],
}
FITS = """() => new Promise((done) => {
  const [plot, place] = ["#series .uplot", "#series .plot"].map((s) => document.querySelector(s));
  const fits = () => plot.clientWidth === place.clientWidth;
  const look = () => (fits() ? done() : requestAnimationFrame(look));
  look();
})"""  # the lines follow the width of the page
THEMED = """(theme) => document.documentElement.dataset.bsTheme === theme
  && document.getAnimations().every((a) => a.playState !== "running")"""
WINDOW, PER_WINDOW = 10, 8_000  # seconds, requests


class Canary:
    """A canary whose time passes as fast as the test likes, with the traffic of that time."""

    def __init__(self, story: Story) -> None:
        self.story, self.random = story, Random(7)
        self.release = story.release("development", plan=CANARY)
        story.settle()

    @property
    def rollout(self) -> Rollout:
        """The canary as it stands."""
        return self.story.rollout(self.release)

    def let_pass(self, seconds: int, errors: float = 0.005) -> None:
        """Move all that happened into the past, fill the gap with traffic, and let come of it what
        comes; ``errors`` is the share of the new revision."""
        row, begin = self.rollout, now() - timedelta(seconds=seconds)
        ago = timedelta(seconds=seconds, milliseconds=1)  # no window meets another on its way

        def earlier(times: dict[str, str]) -> dict[str, str]:
            return {k: (datetime.fromisoformat(t) - ago).isoformat() for k, t in times.items()}

        Rollout.objects.filter(pk=row.pk).update(
            created_at=row.created_at - ago,
            step_times=earlier(row.step_times),
            phase_times=earlier(row.phase_times),
        )
        MetricWindow.objects.update(started_at=F("started_at") - ago)
        Look.objects.update(at=F("at") - ago)
        share = row.to_revision.weight / 10_000
        for start in range(0, seconds - WINDOW + 1, WINDOW):
            at, count = begin + timedelta(seconds=start), PER_WINDOW + self.random.randrange(900)
            self.count(row.to_revision_id, at, round(count * share), errors, 1.3)
            self.count(row.from_revision_id, at, round(count * (1 - share)), 0.005, 1)
        self.story.node.step()
        self.story.node.metrics = []
        self.story.settle(rounds=4)

    def count(
        self, revision: str | None, at: datetime, count: int, errors: float, slow: float
    ) -> None:
        """Have the node report a window; ``slow`` says how many take long, beside what is usual."""
        bad = round(count * errors * self.random.uniform(0.8, 1.2))
        late = round(count * 0.08 * slow * self.random.uniform(0.8, 1.2))
        fast = count // 3
        self.story.node.metrics.append(
            {
                "revision": revision,
                "started_at": rfc3339(at),
                "seconds": WINDOW,
                "status_2xx": count - bad,
                "status_3xx": 0,
                "status_4xx": 0,
                "status_5xx": bad,
                "latency": {"10": fast, "25": count - fast - late, "100": late, "inf": 0},
            }
        )


@pytest.fixture
def canary(story: Story, first_release: None) -> Canary:
    """A canary at 5%."""
    return Canary(story)


def errors_of(page: Page) -> list[str]:
    """Keep every error that the page reports, a breach of its policy too."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    return errors


def test_the_page_at_four_moments(
    story: Story, canary: Canary, open_as: OpenAs, pictures: Path
) -> None:
    """It follows by itself, is free of faults for axe, fits a phone, and its lines are drawn."""
    page = open_as(story.people["Otto"])
    page.emulate_media(reduced_motion="reduce")
    errors = errors_of(page)
    page.goto(f"/rollouts/{canary.rollout.pk}/")

    def picture(moment: str, words: str) -> None:
        page.locator("#rollout-now", has_text=words).wait_for()
        points = page.evaluate("fetch(series.dataset.series).then((a) => a.json())")["points"]
        rows = page.locator("#series details tbody tr")
        rows.nth(len(points) - 2).wait_for(state="attached")
        assert page.locator("#series canvas").count() == 4
        assert "% server errors, p50" in (rows.first.text_content() or "")
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(THEMED, arg=theme)  # colours half way to it are no fault
            found = Axe().run(page).response["violations"]
            bad = [v for v in found if v["impact"] in ("serious", "critical")]
            assert not bad, f"{moment}, {theme}: " + "; ".join(
                f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in bad
            )
            for width in (1440, 390):
                page.set_viewport_size({"width": width, "height": 900})
                page.evaluate(FITS)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                name = f"rollout-{moment}-{theme}-{width}.png"
                page.screenshot(path=pictures / name, full_page=True)
        page.set_viewport_size({"width": 1440, "height": 900})

    canary.let_pass(180)
    picture("running", "Wait 5 min")
    canary.let_pass(140)
    for _ in range(3):
        canary.let_pass(20)
    picture("analysis", "Inconclusive")
    canary.let_pass(120)
    picture("waiting", "Waiting for an operator to resume it")
    resume(canary.rollout, step=3, reason="Looks well", actor=story.otto)
    story.settle()
    canary.let_pass(20, errors=0.05)
    picture("rolled-back", "The analysis failed.")
    assert errors == []


def test_a_lost_connection_is_said_and_survived(
    story: Story, canary: Canary, open_as: OpenAs
) -> None:
    canary.let_pass(30)
    page = open_as(story.people["Otto"])
    page.goto(f"/rollouts/{canary.rollout.pk}/")
    page.get_by_text("planned 5%, measured 5%").wait_for()
    lines = page.locator("#series canvas").first
    lines.evaluate("(canvas) => { canvas.dataset.same = 'yes'; }")
    page.locator("#rollout-now").evaluate("(part) => { part.dataset.stale = 'yes'; }")
    page.locator("#rollout-now:not([data-stale])").wait_for()
    assert lines.get_attribute("data-same") == "yes"  # what renews itself leaves the lines alone
    page.context.set_offline(True)
    page.locator("#lost", has_text="Reconnecting… data as of").wait_for()
    page.context.set_offline(False)
    page.locator("#lost", has_text="Reconnecting").wait_for(state="detached")
    page.get_by_text("As a table").click()
    row = page.locator("#series details tbody tr").first
    assert "% server errors, p50" in row.inner_text()


def test_a_rollout_that_is_over_says_that_its_figures_are_those_of_its_end(
    story: Story, canary: Canary, open_as: OpenAs
) -> None:
    canary.let_pass(30)
    abort(canary.rollout, reason="worse", actor=story.otto)
    story.settle()
    over = now() - timedelta(minutes=2)
    Rollout.objects.filter(pk=canary.rollout.pk).update(
        created_at=over - timedelta(minutes=1), finished_at=over
    )
    page = open_as(story.people["Otto"])
    page.goto(f"/rollouts/{canary.rollout.pk}/")
    page.get_by_text("at the end: planned 0%").wait_for()


@pytest.mark.parametrize(
    ("ended", "says"),
    [(True, "at the end: planned 5%, too short to measure"), (False, "planned 5%, not measured")],
)
def test_a_stretch_that_began_before_the_weight_was_applied_does_not_measure_it(
    canary: Canary, open_as: OpenAs, *, ended: bool, says: str
) -> None:
    begin = now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    row, times = canary.rollout, (begin + timedelta(seconds=18), begin + timedelta(seconds=24))
    Rollout.objects.filter(pk=row.pk).update(
        created_at=begin,
        step=1,
        step_times={str(place): at.isoformat() for place, at in enumerate(times)},
        phase_times={},
        **({"state": "failed", "finished_at": begin + timedelta(seconds=31)} if ended else {}),
    )
    MetricWindow.objects.all().delete()
    for revision in (row.from_revision_id, row.to_revision_id):
        MetricWindow.objects.create(
            node="nod_1",
            revision=revision,
            started_at=begin + timedelta(seconds=20),
            seconds=10,
            status_2xx=10,
            latency={"25": 10},
        )
    page = open_as(canary.story.people["Otto"])
    page.goto(f"/rollouts/{row.pk}/")
    page.get_by_text(says).wait_for()
    requests = page.locator("[data-panel=requests] figcaption span").text_content() or ""
    assert ("last counted" in requests) is ended, "which lies before the end"
    assert "at the end" not in requests and requests.endswith("old 1 /s, new 1 /s")


def test_the_target_of_a_stretch_in_which_it_changed_says_both(
    canary: Canary, open_as: OpenAs
) -> None:
    begin = now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    row = canary.rollout
    Rollout.objects.filter(pk=row.pk).update(
        created_at=begin,
        step_times={"0": (begin + timedelta(seconds=24)).isoformat()},
        state="failed",
        finished_at=begin + timedelta(minutes=1),
        phase_times={},
    )
    for at in (10, 20, 30):
        MetricWindow.objects.create(
            node="nod_1",
            revision=row.from_revision_id,
            started_at=begin + timedelta(seconds=at),
            seconds=WINDOW,
            status_2xx=100,
            latency={"25": 100},
        )
    page = open_as(canary.story.people["Otto"])
    page.goto(f"/rollouts/{row.pk}/")
    page.get_by_text("As a table").click()
    rows = page.locator("#series details tbody tr")
    rows.nth(2).wait_for()
    cells = rows.evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].slice(0, 2).map((c) => c.textContent))"
    )
    found = [(time[3:], target) for time, target in cells]
    assert found == [("00:30", "5%"), ("00:20", "0% → 5%"), ("00:10", "0%")]
