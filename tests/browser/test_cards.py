"""No model card holds the browser of whoever reads it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from apps.registry.actions import set_card
from tests.support.hostile_cards import HOSTILE
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SECONDS = 1.0
# What shares caches and cores makes even seconds of a processor longer, and never shorter: one that
# holds a browser does so each time.
TRIES = 3
# Those that a browser takes longest for; unit/registry/test_cards.py has a server write all.
GRAVEST = [
    "one word of wide letters",
    "right to left",
    "lines",
    "paragraphs",
    "a wide table",
    "a long table",
    "one letter with accents",
    "wide letters as code",
    "wide letters in a table",
    "wide letters in a link",
    "wide letters as a picture",
    "wide letters that are too many",
    "brackets",
    "nested emphasis",
    "columns",
    "code that may be",
    "nested emphasis that may be",
]


def busy(page: Page, path: str) -> float:
    """Return how many seconds of a processor the page's main thread took until all was drawn."""
    page.goto("about:blank")
    watch = page.context.new_cdp_session(page)
    watch.send("Performance.enable", {"timeDomain": "threadTicks"})
    taken = _tasks(watch)
    page.goto(path)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    return _tasks(watch) - taken


def _tasks(watch: object) -> float:
    told = watch.send("Performance.getMetrics")["metrics"]  # type: ignore[attr-defined]
    return float(next(row["value"] for row in told if row["name"] == "TaskDuration"))


def test_a_card_that_is_meant_to_hold_a_browser_does_not(
    world: World, open_as: Callable[..., Page]
) -> None:
    version = world.version()
    path = f"/models/{version.project.slug}/{version.model.name}/{version.number}/"
    page, spent = open_as(world.people["Rex"], width=390), {}
    for name in GRAVEST:
        version = set_card(version, card=HOSTILE[name], actor=world.alan)
        tries = [round(busy(page, path), 2)]
        while min(tries) > SECONDS and len(tries) < TRIES:
            tries.append(round(busy(page, path), 2))
        spent[name] = min(tries)
        assert page.locator(".card-prose").count() == 1
    assert not {name: seconds for name, seconds in spent.items() if seconds > SECONDS}, spent
