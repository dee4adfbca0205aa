"""An analysis as people see it while it goes on: its sentence, its numbers, its bounds."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db.models import F
from playwright.sync_api import Page

from apps.rollouts.models import Look, Rollout
from placet.kernel.clock import now, rfc3339
from placet.kernel.config import config
from tests.support.processes import until
from tests.support.prometheus import reading, serving
from tests.support.story import Story

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("first_release"),
]
OpenAs = Callable[..., Page]
METRICS = [
    {"metric": "error_rate", "margin": 0.01},
    {"metric": "latency", "quantile": 0.95, "at_most_ms": 250},
]
CANARY = {
    "strategy": "canary",
    "steps": [{"set_weight": 20}, {"analysis": {"metrics": METRICS, "minimum_requests": 5_000}}],
}

BY_PROMETHEUS = {
    "strategy": "canary",
    "steps": [
        {"set_weight": 20},
        {
            "analysis": {
                "metrics": [
                    {"metric": "error_rate", "margin": 0.01},
                    {
                        "metric": "prometheus",
                        "query": 'refunds{revision="$revision"}',
                        "at_most": 2,
                        "for_seconds": 10,
                    },
                ]
            }
        },
    ],
}

AB_TEST = {
    "strategy": "ab_test",
    "steps": [
        {"set_weight": 20},
        {
            "ab_test": {
                "metric": {"metric": "error_rate"},
                "minimum_effect": 0.001,
                "guardrails": [{"metric": "latency", "over_ms": 250, "margin": 0.05}],
            }
        },
    ],
}


class Trial:
    """A release at 20% whose node has reported a few windows."""

    def __init__(self, story: Story, plan: dict[str, Any]) -> None:
        self.story = story
        self.release = story.release("development", plan=plan)
        story.settle()
        for errors in (1, 3, 1, 2, 0, 1):
            self.count(errors)

    @property
    def rollout(self) -> Rollout:
        """It as it stands."""
        return self.story.rollout(self.release)

    def count(self, errors: int, times: int = 1) -> None:
        """Report 100 requests of the new revision, and look; the last look was a minute ago."""
        Look.objects.update(at=F("at") - timedelta(minutes=1))
        row = self.rollout
        for revision, count, bad in (
            (row.to_revision_id, 100 * times, errors),
            (row.from_revision_id, 400 * times, 4 * times),
        ):
            self.story.node.metrics.append(
                {
                    "revision": revision,
                    "started_at": rfc3339(now()),
                    "seconds": 0.001,
                    "status_2xx": count - bad,
                    "status_3xx": 0,
                    "status_4xx": 0,
                    "status_5xx": bad,
                    "latency": {"100": count - 3, "250": 0, "inf": 3},
                }
            )
        self.story.node.step()
        self.story.node.metrics = []
        self.story.settle(rounds=2)

    def reads(self) -> float | None:
        """Look once more, and return what the Prometheus of its analysis said."""
        self.count(1)
        (reading,) = Look.objects.latest("pk").verdict["readings"]
        value: float | None = reading["value"]
        return value


@pytest.fixture
def canary(story: Story) -> Trial:
    """A canary at 20%."""
    return Trial(story, CANARY)


@pytest.fixture
def ab_test(story: Story) -> Trial:
    """An A/B test at 20%."""
    return Trial(story, AB_TEST)


def test_an_analysis_is_followed_until_it_sends_everything_back(
    canary: Trial, open_as: OpenAs
) -> None:
    page = open_as(canary.story.people["Otto"])
    page.goto(f"/rollouts/{canary.rollout.pk}/")
    card = page.get_by_role("region", name="Analysis, step 2")
    card.locator(".card-actions", has_text="Inconclusive").wait_for()
    assert "8 of 600" not in card.inner_text()
    assert "1.33% of 600" in card.inner_text()
    assert "more requests would do at this rate" in card.inner_text()
    assert card.locator("svg.bounds").count() == 2
    assert page.locator("[aria-current=step]", has_text="Analyse:").count() == 1
    for _ in range(3):
        canary.count(40)
    card.locator(".card-actions", has_text="Failed").wait_for()
    page.locator("#rollout-now .alert", has_text="The analysis failed.").wait_for()
    page.get_by_text("Analysed the new revision in step 2: failed").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_reads_well(
    canary: Trial, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    page = open_as(canary.story.people["Otto"], width=width, theme=theme)
    page.goto(f"/rollouts/{canary.rollout.pk}/")
    page.locator("svg.bounds").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"analysis-{theme}-{width}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    serious = [v["id"] for v in found if v["impact"] in ("serious", "critical")]
    assert serious == []


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_an_ab_test_is_read_and_shipped(
    ab_test: Trial, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    page = open_as(ab_test.story.people["Vera"], width=width, theme=theme)
    page.goto(f"/rollouts/{ab_test.rollout.pk}/")
    card = page.get_by_role("region", name="A/B test")
    card.get_by_text("Whether the effect is there").wait_for()
    page.screenshot(path=pictures / f"ab-test-{theme}-{width}.png", full_page=True)
    ab_test.count(0, times=100)
    card.get_by_role("button", name="Ship…").click()
    page.screenshot(path=pictures / f"ab-test-ship-{theme}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    page.locator("#ship-why").fill("Fewer errors")
    page.get_by_role("button", name="Ship", exact=True).click()
    page.get_by_text("Approved shipping release").wait_for()
    assert ab_test.rollout.step == 3


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_what_a_prometheus_says_stands_beside_the_metrics(
    story: Story,
    open_as: OpenAs,
    pictures: Path,
    theme: str,
    width: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving() as shop, reading(shop, tmp_path) as url:
        monkeypatch.setattr(config(), "prometheus_url", url)
        watched = Trial(story, BY_PROMETHEUS)
        shop.body = f'refunds{{revision="{watched.rollout.to_revision_id}"}} 1.5\n'.encode()

        def read() -> bool:
            """Look once more when Prometheus knows more: a node reports so much a minute alone."""
            known = len(shop.asked)
            until(lambda: len(shop.asked) > known, what="Prometheus to read the shop")
            return watched.reads() == 1.5

        until(read, what="a value of Prometheus")
        page = open_as(story.people["Otto"], width=width, theme=theme)
        page.goto(f"/rollouts/{watched.rollout.pk}/")
    card = page.get_by_role("region", name="Analysis, step 2")
    asked = card.locator(".card-body", has=page.get_by_role("heading", name="refunds{"))
    assert "1.5" in asked.inner_text()
    assert "at most 2, for 10 s" in asked.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"prometheus-{theme}-{width}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
