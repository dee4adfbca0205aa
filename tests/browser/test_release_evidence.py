"""The evidence of a release as reviewers see it: on a desk and on a phone, by day and by night."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.governance.models import Release
from tests.browser.test_story import SERIOUS
from tests.browser.test_widths import OUTSIDE, WORD
from tests.support.evidence import EVERY_KIND, add_every_kind
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
CARD = "# Churn\n\n## Intended use\n\n{}\n\n## Limits\n\nThe rows are made up.\n"


def release_of(world: World) -> Release:
    """Ask for a release with evidence of every kind, beside a live one."""
    before = world.version(card=CARD.format("Retail customers alone."))
    world.live("development", world.bento(before, metrics={"auc": 0.91, "brier": 0.0472}))
    version = world.version(
        card=CARD.format("Retail and business customers."),
        example=[{"age": 41, "income": 53.2}, {"age": 7, "income": 0}],
        expected=[0, 0],
    )
    bento = world.bento(version)
    add_every_kind(world, bento, world.alan)
    return world.request("development", bento)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_evidence_of_a_release_is_usable_by_everybody(
    world: World, open_as: OpenAs, pictures: Path, theme: str
) -> None:
    release = release_of(world)
    for width in (1440, 390):
        page = open_as(world.people["Rex"], theme=theme, width=width)
        page.goto(f"/releases/{release.pk}/")
        page.get_by_role("link", name="Evidence", exact=True).click()
        page.get_by_role("heading", name="Fairness").wait_for()
        page.screenshot(path=pictures / f"evidence-{theme}-{width}.png", full_page=True)
        found = [v for v in Axe().run(page).response["violations"] if v["impact"] in SERIOUS]
        assert not found, "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found)
        assert page.evaluate(OUTSIDE) == []
        auc = page.get_by_role("row", name="auc").inner_text().split()
        assert auc == ["auc", "Discuss", "0.91", "0.9312", "▲", "+0.0212", "better"]


def test_words_without_an_end_make_it_no_wider(
    world: World, open_as: OpenAs, pictures: Path
) -> None:
    """Whatever a pipeline reports."""
    text, members = WORD[:500], {WORD: 0.5, f"{WORD}2": -0.25}
    bento = world.bento(world.version(card=f"# {WORD}\n\n{WORD}"))
    changes = {
        "fairness": {"attribute": text, "metrics": {f"{WORD}@{WORD}": 0.5, f"b@{WORD}": 1}},
        "explainability": {"method": text, "importances": members},
        "data_quality": {"rows": 1, "checks": [{"name": text, "passed": False, WORD: WORD}]},
        "document": {"title": text, "sha256": "0" * 64, WORD: WORD, "more": [{WORD: WORD}] * 3},
        "scan": EVERY_KIND["scan"] | {"findings": [{"path": WORD, "what": WORD, "verdict": WORD}]},
        "smoke_test": EVERY_KIND["smoke_test"] | {"detail": WORD},
        "load_test": EVERY_KIND["load_test"] | {"errors": {WORD: WORD, "b": [WORD]}},
    }
    add_every_kind(world, bento, world.alan, **changes)
    release = world.request("development", bento)
    page = open_as(world.people["Rex"])
    page.goto(f"/releases/{release.pk}/evidence/")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=pictures / f"evidence-words-{width}.png", full_page=True)
        assert page.evaluate(OUTSIDE) == []
