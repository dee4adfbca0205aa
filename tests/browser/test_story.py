"""From a fresh start to a prediction, by people in a real browser, and how long it takes them; then
every page."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from apps.builds.samples import FOLDER
from tests.browser.conftest import Visitor
from tests.support.installation import Running
from tests.support.processes import until

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]
SERIOUS = ("serious", "critical")
MOST_SECONDS = 600
MODEL = "credit-scoring"  # of the samples the first, and so the first that is built
EXPECTED = json.loads((FOLDER / MODEL / "3" / "version.json").read_text())["expected"][0]


@pytest.fixture(scope="module")
def places() -> dict[str, str]:
    """Addresses of what the story makes, for the tests after it."""
    return {}


@pytest.fixture
def steps(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[str], None]]:
    """Called behind each step: says how long it took, and at the end how long all of them did."""
    begun = last = time.monotonic()

    def step(what: str) -> None:
        nonlocal last
        with capsys.disabled():
            print(f"\n{time.monotonic() - last:7.1f} s  {what}", end="")
        last = time.monotonic()

    yield step
    with capsys.disabled():
        print(f"\n{last - begun:7.1f} s  in the browser, all in all")
    assert last - begun < MOST_SECONDS


def test_a_newcomer_and_others_take_a_model_to_staging(
    placet: Running, visit: Visit, places: dict[str, str], steps: Callable[[str], None]
) -> None:
    """From a fresh start, by what Home says, in the browser alone."""
    ann = visit("admin")
    home = ann.page
    home.locator("#setup-people[data-done=yes]").wait_for()
    home.locator("#setup-node[data-done=yes]").wait_for()
    home.locator("#setup-version[data-done=no]").wait_for()
    home.get_by_role("button", name="Load sample data").click()
    people = (("dana", "contributor"), ("ravi", "reviewer"), ("alma", "approver"))
    for who, role in people:
        home.get_by_label("Who").fill(f"{who}@placet.local")
        home.get_by_label("Role", exact=True).select_option(role)
        home.get_by_role("button", name="Give the role").click()
        home.get_by_text(f"is {role} in Samples").wait_for()
    steps("an administrator loads sample data and gives three people roles")

    dana = visit("contributor")
    page = dana.page
    page.locator("#setup-version[data-done=yes]").wait_for()
    leave_one_build(placet)
    page.locator("#setup-release").get_by_role("link", name="Models").click()
    page.get_by_role("link", name=MODEL).first.click()
    page.get_by_role("link", name="3", exact=True).first.click()
    page.wait_for_url(f"**/models/samples/{MODEL}/3/")
    page.locator("a[href^='/builds/']").first.click()
    places["build"] = page.url.removeprefix(placet.url)
    page.locator("#build .card-actions .state.pass", has_text="Succeeded").wait_for(timeout=600_000)
    assert "4 of 4" in page.locator("#build").inner_text()
    steps("a data scientist finds a version built and smoke-tested")

    places["release"] = ask(dana)
    places["evidence"] = f"{places['release']}evidence/"
    places["behaviour"] = f"{places['release']}behaviour/"
    places["attempts"] = f"{places['release']}attempts/"
    assert page.get_by_role("button", name="Finish review").count() == 0
    steps("asks for its release")

    ravi = visit("reviewer")
    inbox = ravi.page
    inbox.locator("#setup-approval").get_by_role("link", name="Releases").click()
    inbox.get_by_text("Needs your review").wait_for()
    inbox.get_by_role("link", name=f"{MODEL}:3").first.click()
    inbox.wait_for_url("**/releases/rel_*/")  # loaded: before its scripts run no key opens a dialog
    # by keyboard alone: open the dialog, write, confirm
    inbox.get_by_role("button", name="Finish review…").focus()
    inbox.keyboard.press("Enter")
    inbox.locator("dialog[open] textarea:focus").wait_for()
    inbox.keyboard.type("AUC holds on the held-out quarter.")
    inbox.keyboard.press("Tab")
    inbox.keyboard.press("Enter")
    inbox.get_by_text("Your decision is signed").wait_for()
    steps("a reviewer approves")
    inbox.locator("#rollout .card-actions .state.pass", has_text="Done").wait_for(timeout=300_000)
    inbox.get_by_text("AUC holds on the held-out quarter.").first.wait_for()
    saw = inbox.get_by_role("link", name="saw")
    places["decision"] = saw.get_attribute("href") or ""
    steps("it is live")

    places["endpoint"] = predict(dana)
    page.locator("[data-field='age']").fill("")
    page.get_by_role("button", name="Predict", exact=True).click()
    page.locator("#answer[data-status='400']").wait_for()
    assert "age" in page.locator("#answer").inner_text()
    steps("it answers")

    ann.go("/")
    assert home.locator("#setup").count() == 0  # everything is done
    aude = visit("auditor")
    log = aude.go("/audit/")
    log.get_by_text("Decision as reviewer: approved").wait_for()
    log.locator(".timeline-row", has_text="Decision as reviewer").get_by_text("event #").click()
    log.get_by_text("of the tree of").wait_for()
    places["event"] = log.url.removeprefix(placet.url)
    for person in (ann, dana, ravi, aude):
        assert person.foreign == []
        assert [e for e in person.errors if "400" not in e] == []


def ask(dana: Visitor) -> str:
    """Ask for the release of the version to staging; return the path of the release."""
    page = dana.go(f"/models/samples/{MODEL}/3/")
    page.get_by_role("link", name="Request release").click()
    page.select_option("#environment", "staging")
    page.fill("#reason", "It passed its evaluation.")
    page.get_by_role("button", name="Submit request").click()
    page.get_by_text("others have to decide").wait_for()
    return page.url.removeprefix(dana.url)


def predict(dana: Visitor) -> str:
    """Try the endpoint of the release that is open, whose page has renewed itself since it is live;
    return the path of the endpoint."""
    page = dana.page
    page.get_by_role("link", name="Open endpoint").click()
    page.wait_for_url("**/endpoints/**")
    path = page.url.removeprefix(dana.url)
    page.get_by_role("link", name="Test", exact=True).click()
    page.get_by_role("button", name="Predict", exact=True).click()
    page.locator("#answer[data-status='200']").wait_for()
    answer = json.loads(page.locator("#answer").inner_text())
    assert answer["prediction"] == EXPECTED
    page.get_by_text("Answered by revision ").wait_for()
    return path


def test_the_next_release_is_asked_for_and_approved_on_phones(
    placet: Running, visit: Visit, places: dict[str, str]
) -> None:
    """From Home over the menu; what is asked for replaces what serves."""
    assert places, "the story before this test has not made its pages"
    dana, ravi = visit("contributor", width=390), visit("reviewer", width=390)
    release = ask(dana)
    page = ravi.go("/")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Inbox").click()
    page.locator(f"a[href='{release}']").first.click()
    page.get_by_role("button", name="Finish review…").click()
    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_text("Your decision is signed").wait_for()
    page.locator("#rollout .card-actions .state.pass", has_text="Done").wait_for(timeout=300_000)
    assert predict(dana) == places["endpoint"]
    for person in (dana, ravi):
        assert person.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert (person.foreign, person.errors) == ([], [])


def leave_one_build(placet: Running) -> None:
    """Cancel the builds of the other samples, which nobody here looks at."""
    with placet.person("contributor") as dana:

        def builds() -> list[dict[str, Any]]:
            rows = placet.sql("SELECT id FROM builds_build")
            return [dana.do("GET", f"/builds/{row['id']}") for row in rows]

        until(lambda: len(builds()) == 4, 60, "a build of each sample")
        for build in builds():
            if build["name"] != f"{MODEL}:3":
                dana.do("POST", f"/builds/{build['id']}/cancel")


PAGES = {
    "home": ("reviewer", "/"),
    "models": ("contributor", "/models/"),
    "model": ("contributor", "/models/samples/credit-scoring/"),
    "version": ("contributor", "/models/samples/credit-scoring/3/"),
    "compare": ("contributor", "/models/samples/credit-scoring/compare/?v=1&v=2"),
    "build": ("contributor", "build"),
    "releases": ("approver", "/releases/"),
    "release": ("approver", "release"),
    "release-evidence": ("approver", "evidence"),
    "release-behaviour": ("approver", "behaviour"),
    "release-attempts": ("approver", "attempts"),
    "release-decision": ("approver", "decision"),
    "endpoints": ("operator", "/endpoints/"),
    "endpoint": ("operator", "endpoint"),
    "targets": ("operator", "/targets/"),
    "policies": ("approver", "/policies/"),
    "policy": ("approver", "/policies/clinic/production/"),
    "audit": ("auditor", "/audit/"),
    "audit-event": ("auditor", "event"),
    "notifications": ("contributor", "/notifications/"),
    "tokens": ("contributor", "/tokens/"),
    "absence": ("approver", "/absence/"),
    "search": ("contributor", "/search/?q=credit"),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("role", sorted({role for role, _ in PAGES.values()}))
def test_every_page_is_usable_by_everybody(
    visit: Visit, places: dict[str, str], pictures: Path, role: str, theme: str
) -> None:
    """axe finds nothing serious; nothing scrolls sideways on a phone; the console is quiet."""
    if not places:
        pytest.fail("the story before this test has not made its pages")
    wide, narrow = visit(role, theme=theme), visit(role, theme=theme, width=390)
    for name, (who, path) in PAGES.items():
        if who != role:
            continue
        path = places.get(path, path)
        page = wide.go(path)
        found = [v for v in Axe().run(page).response["violations"] if v["impact"] in SERIOUS]
        assert not found, f"{name}, {theme}: " + "; ".join(
            f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found
        )
        page.screenshot(path=pictures / f"{name}-{theme}-1440.png", full_page=True)
        phone = narrow.go(path)
        width = phone.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{name} is {width} px wide on a phone"
        phone.screenshot(path=pictures / f"{name}-{theme}-390.png", full_page=True)
    assert wide.errors == narrow.errors == []
    assert wide.foreign == narrow.foreign == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_sign_in_page_is_usable_by_everybody(
    placet: Running, chromium: Browser, pictures: Path, theme: str
) -> None:
    for width in (1440, 390):
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,  # type: ignore[arg-type]
        )
        page = context.new_page()
        page.goto(f"{placet.url}/accounts/login/")
        found = [v for v in Axe().run(page).response["violations"] if v["impact"] in SERIOUS]
        assert not found, [v["id"] for v in found]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=pictures / f"sign-in-{theme}-{width}.png")
        context.close()


def test_the_description_of_the_api_opens_without_a_foreign_request_or_an_error(
    visit: Visit,
) -> None:
    visitor = visit("approver")
    page = visitor.go("/api/docs/")
    page.locator(".opblock-tag", has_text="alerts").click()
    page.locator(".opblock-summary-path", has_text="/api/v1/alerts").first.wait_for()
    operation = page.locator(".opblock").first
    operation.locator(".opblock-summary-control").click()
    operation.locator(".opblock-body").wait_for()
    assert visitor.errors == []
    assert visitor.foreign == []
