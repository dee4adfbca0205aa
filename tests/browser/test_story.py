"""From a registered model to a prediction, by five people in a real browser; then every page."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from apps.operations.demo.story import SCIENTIST
from tests.support.installation import ROOT, Running

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def registered(placet: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The data scientist's pipeline described a forest through the API, without its file."""
    out = tmp_path_factory.mktemp("forest")
    script = ROOT / "examples" / "breast_cancer.py"
    subprocess.run([sys.executable, str(script), "forest", str(out)], check=True)
    facts = json.loads((out / "version.json").read_text())
    metrics = facts.pop("metrics")
    with placet.person("contributor") as dana, dana.client(SCIENTIST) as client:
        client.post("/projects/clinic/models", {"name": "tumour", "description": "Benign?"})
        version = client.post("/projects/clinic/models/tumour/versions", facts)
        path = f"/projects/clinic/models/tumour/versions/{version['number']}"
        client.post(f"{path}/evidence", {"kind": "metrics", "data": metrics})
        worse = {**metrics, "auc": round(metrics["auc"] - 0.02, 4)}
        draft = client.post("/projects/clinic/models/tumour/versions", facts | {"card": "# Older"})
        older = f"/projects/clinic/models/tumour/versions/{draft['number']}/evidence"
        client.post(older, {"kind": "metrics", "data": worse})
    return facts | {"file": out / "model.joblib"}


@pytest.fixture(scope="module")
def places() -> dict[str, str]:
    """Addresses of what the story makes, for the tests after it."""
    return {}


def test_five_people_take_a_model_to_staging(
    placet: Running, visit: Visit, registered: dict[str, Any], places: dict[str, str]
) -> None:
    dana = visit("contributor")
    page = dana.go("/models/clinic/tumour/1/")
    page.get_by_role("link", name="Continue editing").click()
    page.get_by_label("Choose files").set_input_files(registered["file"])
    page.get_by_role("button", name="Remove model.joblib").wait_for()
    page.get_by_role("button", name="Finalise and build").click()
    page.wait_for_url("**/builds/**")
    places["build"] = page.url.removeprefix(placet.url)
    page.locator("#build .card-actions .state.pass", has_text="Succeeded").wait_for(timeout=600_000)
    assert "20 of 20" in page.locator("#build").inner_text()

    dana.go("/models/clinic/tumour/1/")
    page.get_by_role("link", name="Request release").click()
    page.select_option("#environment", "staging")
    page.fill("#reason", "It passed its evaluation.")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.get_by_text("others have to decide").wait_for()
    places["release"] = page.url.removeprefix(placet.url)
    assert page.get_by_role("button", name="Approve").count() == 0

    ravi = visit("reviewer")
    inbox = ravi.go("/releases/")
    inbox.get_by_text("Needs your review").wait_for()
    inbox.get_by_role("link", name="tumour:1").first.click()
    # by keyboard alone: open the dialog, write, confirm
    inbox.get_by_role("button", name="Approve as reviewer").focus()
    inbox.keyboard.press("Enter")
    inbox.keyboard.type("AUC holds on the held-out quarter.")
    inbox.keyboard.press("Tab")
    inbox.keyboard.press("Tab")
    inbox.keyboard.press("Enter")
    inbox.get_by_text("Your decision is signed").wait_for()
    inbox.locator("#rollout .card-actions .state.pass", has_text="Done").wait_for(timeout=300_000)
    inbox.reload()
    inbox.get_by_text("AUC holds on the held-out quarter.").first.wait_for()

    page.reload()
    page.get_by_role("link", name="Open endpoint").click()
    places["endpoint"] = page.url.removeprefix(placet.url)
    page.get_by_role("button", name="Predict", exact=True).click()
    page.locator("#answer[data-status='200']").wait_for()
    answer = json.loads(page.locator("#answer").inner_text())
    assert answer["prediction"] == registered["expected"][0]
    page.locator("[data-field='mean radius']").fill("")
    page.get_by_role("button", name="Predict", exact=True).click()
    page.locator("#answer[data-status='400']").wait_for()
    assert "mean radius" in page.locator("#answer").inner_text()

    aude = visit("auditor")
    log = aude.go("/audit/")
    log.get_by_text("Decision as reviewer: approved").wait_for()
    log.locator(".timeline-row", has_text="Decision as reviewer").get_by_text("event #").click()
    log.get_by_text("of the tree of").wait_for()
    places["event"] = log.url.removeprefix(placet.url)
    for person in (dana, ravi, aude):
        assert person.foreign == []
        assert [e for e in person.errors if "400" not in e] == []


PAGES = {
    "home": ("reviewer", "/"),
    "models": ("contributor", "/models/"),
    "model": ("contributor", "/models/clinic/tumour/"),
    "version": ("contributor", "/models/clinic/tumour/1/"),
    "compare": ("contributor", "/models/clinic/tumour/compare/?v=1&v=2"),
    "build": ("contributor", "build"),
    "releases": ("approver", "/releases/"),
    "release": ("approver", "release"),
    "endpoints": ("operator", "/endpoints/"),
    "endpoint": ("operator", "endpoint"),
    "targets": ("operator", "/targets/"),
    "policies": ("approver", "/policies/"),
    "policy": ("approver", "/policies/clinic/production/"),
    "audit": ("auditor", "/audit/"),
    "audit-event": ("auditor", "event"),
    "tokens": ("contributor", "/tokens/"),
    "search": ("contributor", "/search/?q=tumour"),
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
