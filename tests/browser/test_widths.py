"""No page is wider than its window, whatever people typed, and no number lies outside of it; what
messages say stands out from their ground. The pages are computed, so that none is forgotten."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from apps.discussions.actions import reply
from apps.discussions.models import Thread
from apps.governance.actions import comment, set_freeze
from apps.governance.models import Release
from apps.registry.actions import create_model, set_alias, set_card, set_tags
from apps.registry.models import ModelVersion, RegisteredModel
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.permissions.test_form_pages import pages_and_forms
from tests.permissions.world import World, build
from tests.support.factories import actor_of, person
from tests.support.world import World as Governed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
WORD = "Donaudampfschiff" * 190  # 3,000 letters
ROLES = ("contributor", "reviewer", "responder", "approver", "operator", "auditor", "admin")

# What reaches past the right edge, and the numbers of which not all is seen
OUTSIDE = """() => {
  const edge = document.documentElement.clientWidth;
  const past = element => element.getBoundingClientRect().right > edge + 1;
  const seen = element => element.checkVisibility() && element.getClientRects().length > 0;
  const within = element => element.closest("pre, .log, .steps-line, dialog, .series");
  const names = element => `${element.tagName} ${element.className} ${element.id}: ` +
    element.textContent.trim().replace(/\\s+/g, " ").slice(0, 60);
  const wide = document.documentElement.scrollWidth > edge
    ? [...document.querySelectorAll("main *")].filter(e => seen(e) && past(e)).slice(0, 5) : [];
  const numbers = [...document.querySelectorAll("main .num, main time")]
    .filter(e => seen(e) && past(e) && !within(e));
  return [...wide, ...numbers].map(names);
}"""

# Commands of which not all is seen
CUT = """() => [...document.querySelectorAll("main pre")]
  .filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"""

# Contrast of what stands in an element with the grounds that lie behind it, as WCAG 2.2 has it
CONTRAST = """element => {
  const colour = text => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, ground) => top.slice(0, 3)
    .map((v, i) => v * top[3] + ground[i] * (1 - top[3]));
  const grounds = [];
  for (let at = element; at; at = at.parentElement)
    grounds.unshift(colour(getComputedStyle(at).backgroundColor));
  const ground = grounds.reduce((below, top) => over(top, below), [255, 255, 255]);
  const text = over(colour(getComputedStyle(element).color), ground);
  const light = rgb => {
    const [r, g, b] = rgb.map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [low, high] = [light(text), light(ground)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""


def long_words(world: World) -> None:
    """Put a word that has no end everywhere where people write."""
    who = actor_of(person("Word", roles=dict.fromkeys(ROLES)))
    for version in ModelVersion.objects.all():
        set_card(version, card=f"# {WORD}\n\n{WORD}", actor=SYSTEM)
        set_tags(version, tags={"a" * 60: WORD[:200]}, actor=SYSTEM)
        if version.state == "finalised":
            set_alias(version.model, name="a" * 60, version=version, actor=SYSTEM)
    RegisteredModel.objects.update(description=WORD)
    create_model(world.project, name="m" * 80, description=WORD, actor=who)
    for thread in Thread.objects.all():
        reply(thread, text=f"# {WORD[:3000]}\n\n`{WORD[:900]}`", actor=who)
    for release in Release.objects.filter(state="requested"):
        comment(release, text=WORD, actor=who)
        set_freeze(release.environment, reason=WORD[:500], starts_at=now(), actor=who)


def pages(world: World) -> Iterator[str]:
    """Return the path of every page."""
    for route in pages_and_forms("GET"):
        if route.startswith(("/wheels/", "/docs/")):
            continue  # pages of their own
        query = "&".join(
            f"{name}={value}"
            for name, values in (world.bodies.get(f"GET {route}") or {}).items()
            for value in (values if isinstance(values, list) else [values])
        )
        yield world.path(route) + (f"?{query}" if query else "")


def test_no_page_is_wider_than_its_window_and_every_number_is_seen(
    database_beside_playwright: None, open_as: OpenAs, pictures: Path
) -> None:
    world = build()
    long_words(world)
    page = open_as(person("Eve", roles=dict.fromkeys(ROLES)))
    outside = dict[str, list[str]]()
    for path in pages(world):
        answer = page.goto(path)
        assert answer, path
        assert answer.status == 200, path
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            name = path.partition("?")[0].strip("/").replace("/", "-") or "home"
            page.screenshot(path=pictures / f"wide-{name}-{width}.png", full_page=True)
            if found := page.evaluate(OUTSIDE):
                outside[f"{path} at {width}"] = found
    assert outside == {}


def test_the_command_for_a_first_version_is_seen_whole_on_a_phone(
    world: Governed, open_as: OpenAs
) -> None:
    page = open_as(world.people["Ada"], width=390)
    for name in ("bare", "w" * 80):
        create_model(world.project, name=name, actor=SYSTEM)
        page.goto(f"/models/risk/{name}/")
        page.get_by_text("placet model register").wait_for()
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(CUT) == []


def test_what_a_release_changes_is_seen_whole_on_a_phone(
    world: Governed, open_as: OpenAs, pictures: Path
) -> None:
    """Long values stand beside each other there: where a replica may connect, what is captured."""
    live = world.bento(world.version(), metrics={"auc": 0.912345, "brier": 0.0512})
    world.live("development", live)
    other = world.bento(world.version(), metrics={"auc": 0.923456, "brier": 0.0542})
    serving = {"capture": {"percent": 12.5, "days": 7}, "unit": {"header": "X-Customer-Number"}}
    release = world.request("development", other, serving=serving)
    page = open_as(world.people["Rex"])
    page.goto(f"/releases/{release.pk}/")
    for path in (f"/releases/{release.pk}/", "/models/risk/churn/compare/?v=1&v=2"):
        page.goto(path)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=pictures / f"changes-{path[1:4]}-{width}.png", full_page=True)
            assert page.evaluate(OUTSIDE) == []
    auc = page.get_by_role("row", name="auc")
    assert "▲ +0.0111 better" in " ".join(auc.inner_text().split())
    assert "▲ +0.003 worse" in " ".join(page.get_by_role("row", name="brier").inner_text().split())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_messages_say_stands_out(open_as: OpenAs, theme: str) -> None:
    page = open_as(person("Nina"), theme=theme)
    page.goto("/")
    for kind in ("success", "info", "warning", "danger"):
        for css in ("alert", "alert notice", "alert lost"):
            page.evaluate(
                """([css, kind]) => {
                  const alert = document.createElement("div");
                  alert.className = `${css} alert-${kind}`;
                  alert.id = "said";
                  alert.innerHTML = "<div>Text</div>";
                  document.querySelector("main").append(alert);
                }""",
                [css, kind],
            )
            assert page.locator("#said div").evaluate(CONTRAST) >= 4.5, f"{css} {kind} {theme}"
            page.locator("#said").evaluate("alert => alert.remove()")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_tab_is_seen_whole_on_a_phone(open_as: OpenAs, pictures: Path, theme: str) -> None:
    page = open_as(person("Eve", roles=dict.fromkeys(ROLES)), theme=theme, width=390)
    page.goto("/audit/")
    tabs = page.get_by_role("navigation", name="Audit", exact=True).get_by_role("link")
    page.screenshot(path=pictures / f"tabs-390-{theme}.png")
    assert tabs.count() == 9
    for tab in tabs.all():
        box = tab.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    assert page.evaluate(OUTSIDE) == []
