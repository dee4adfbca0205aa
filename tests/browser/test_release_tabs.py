"""What reviewers read of a version that was tried before: on a desk and on a phone, by day and by
night."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.builds.models import Bento
from apps.governance.models import Release
from apps.monitoring.models import MetricWindow
from apps.rollouts import actions
from apps.rollouts.models import Look, Rollout
from placet.kernel.clock import now
from tests.browser.test_story import SERIOUS
from tests.browser.test_widths import OUTSIDE, WORD
from tests.support.story import Story

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
CANARY = {"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]}
HOUR = timedelta(hours=1)
WARM = {"keep_warm_seconds": 600}


def tried(story: Story, reason: str) -> Bento:
    """Have a build aborted, rolled back and rejected, each with this reason."""
    story.live(plan=WARM)
    bento = story.world.bento(story.world.version())
    going = story.release("development", bento, plan=CANARY)
    story.settle()
    actions.abort(story.rollout(going), reason=reason, actor=story.otto)
    story.settle()
    live = story.live("development", bento, plan=WARM)
    actions.rollback(live.endpoint, reason=reason, actor=story.otto)
    story.settle()
    rejected = story.release("staging", bento)
    story.world.decide(rejected, story.rex, verdict="reject", comment=reason)
    return bento


def looked_at(page: Page, name: str, pictures: Path, width: int) -> None:
    """Find nothing wrong with what is shown."""
    page.screenshot(path=pictures / f"{name}-{width}.png", full_page=True)
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] in SERIOUS]
    assert not found, "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found)
    assert page.evaluate(OUTSIDE) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_earlier_attempts_are_told_to_everybody(
    story: Story, database_beside_playwright: None, open_as: OpenAs, pictures: Path, theme: str
) -> None:
    release: Release = story.release("staging", tried(story, "latency doubled"))
    for width in (1440, 390):
        page = open_as(story.people["Rita"], theme=theme, width=width)
        page.goto(f"/releases/{release.pk}/")
        sentence = page.get_by_text("An earlier release of this version to development was rolled")
        sentence.wait_for()
        looked_at(page, f"before-{theme}", pictures, width)
        page.get_by_role("link", name="All 3 earlier attempts").click()
        page.get_by_text("3 attempts").wait_for()
        looked_at(page, f"attempts-{theme}", pictures, width)


def test_reasons_without_an_end_make_it_no_wider(
    story: Story, database_beside_playwright: None, open_as: OpenAs, pictures: Path
) -> None:
    release = story.release("staging", tried(story, WORD[:1900]))
    page = open_as(story.people["Rita"])
    for tab in ("", "attempts/"):
        page.goto(f"/releases/{release.pk}/{tab}")
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=pictures / f"words-{tab.strip('/')}-{width}.png", full_page=True)
            assert page.evaluate(OUTSIDE) == []


def served(story: Story) -> Bento:
    """Have a build go out by a canary in development, with requests before and after, and one that
    failed."""
    story.live(plan=WARM)
    bento = story.world.bento(story.world.version())
    release = story.release("development", bento, plan=CANARY)
    story.settle()
    row = story.rollout(release)
    actions.resume(row, step=1, reason="fine", actor=story.otto)
    story.settle()
    begun = now() - timedelta(hours=3)
    Rollout.objects.filter(pk=row.pk).update(created_at=begun, finished_at=begun + HOUR)
    for minute in range(60):
        at = begun + timedelta(minutes=minute)
        count(row.from_revision_id, at, 27_123, 12)
        count(row.to_revision_id, at, 2_991, 31)
        count(row.to_revision_id, at + HOUR, 30_120, 7)
    verdict = {
        "outcome": "successful",
        "planned_share": 0.1,
        "evidence_of_another_share": 0.0,
        "sentence": "The new revision is not worse than allowed: error rate, p95.",
        "new_requests": 2991,
        "stable_requests": 27123,
        "findings": [],
        "readings": [],
    }
    Look.objects.create(rollout=row, step=1, at=begun, outcome="successful", verdict=verdict)
    return bento


def count(revision: str | None, at: datetime, good: int, bad: int) -> None:
    """Store a window of a revision."""
    assert revision is not None
    latency = {"5": good // 2, "25": good - good // 2, "100": bad}
    MetricWindow.objects.create(
        node="nod_1",
        revision=revision,
        started_at=at,
        seconds=10,
        status_2xx=good,
        status_5xx=bad,
        latency=latency,
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_how_a_build_behaved_is_told_to_everybody(
    story: Story, database_beside_playwright: None, open_as: OpenAs, pictures: Path, theme: str
) -> None:
    release = story.release("staging", served(story))
    fresh = story.release("staging", endpoint="fresh")
    for width in (1440, 390):
        page = open_as(story.people["Ada"], theme=theme, width=width)
        page.goto(f"/releases/{release.pk}/")
        page.get_by_role("link", name="Behaviour", exact=True).click()
        page.get_by_text("Analysis, step 2").wait_for()
        looked_at(page, f"behaviour-{theme}", pictures, width)
        page.goto(f"/releases/{fresh.pk}/behaviour/")
        page.get_by_role("link", name="Request release").wait_for()
        looked_at(page, f"behaviour-empty-{theme}", pictures, width)
