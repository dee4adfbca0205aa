"""What was typed stays when it was not taken: refused, out of reach, or without an answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect

from apps.governance.models import Decision
from apps.registry.models import Alias
from placet_protocol.cookies import SESSION
from tests.browser.test_passkeys import errors_of
from tests.support.factories import browser
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
TOP = "element => element.getBoundingClientRect().top"
# A colour on its way to another has less contrast.
SETTLED = """() => Promise.allSettled(
  document.getAnimations().filter((a) => a instanceof CSSTransition).map((a) => a.finished)
)"""


def checked(page: Page, pictures: Path, name: str) -> None:
    """Take pictures in both themes and widths, and look that all of it can be read."""
    page.emulate_media(reduced_motion="reduce")
    for width, theme in ((1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("theme => document.documentElement.dataset.bsTheme = theme", theme)
        page.evaluate(SETTLED)
        page.screenshot(path=pictures / f"{name}-{theme}-{width}.png")
        faults = Axe().run(page).response["violations"]
        assert [node["failureSummary"] for fault in faults for node in fault["nodes"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1440, "height": 900})


def reject(page: Page, world: World, text: str) -> Locator:
    """Open a release and write why it is rejected."""
    page.goto(f"/releases/{world.request('staging').pk}/")
    page.get_by_role("button", name="Finish review…").click()
    page.locator("#review textarea").fill(text)
    return page.get_by_role("button", name="Reject", exact=True)


def go_on_as(who: Any, page: Page) -> None:
    """Have somebody be signed in instead, in the same tab."""
    cookie = browser(who).cookies[SESSION].value
    page.context.clear_cookies(name=SESSION)
    page.context.add_cookies([{"name": SESSION, "value": cookie, "url": urljoin(page.url, "/")}])


def test_what_is_wrong_with_a_refused_field_stands_once_beside_it_and_it_has_the_focus(
    world: World, open_as: OpenAs, pictures: Path
) -> None:
    version = world.version()
    page = open_as(world.people["Alan"])
    errors = errors_of(page)
    page.goto(f"/models/risk/churn/{version.number}/")
    page.locator("form[action$=alias]").evaluate("form => { form.noValidate = true }")
    page.locator("#alias").fill("Not An Alias!")
    page.locator("#alias").press("Enter")
    summary = page.locator("form[action$=alias] [role=alert]")
    summary.wait_for()
    field = page.locator("#alias")
    assert field.input_value() == "Not An Alias!"
    assert field.evaluate("field => document.activeElement === field")
    beside = page.locator(f"#{field.get_attribute('aria-describedby')}")
    assert beside.inner_text().startswith("✕ ")
    assert summary.inner_text().strip() == "Please fix 1 error"
    checked(page, pictures, "refused-field")
    field.fill("sound")
    field.press("Enter")
    page.get_by_text("sound", exact=True).first.wait_for()
    assert Alias.objects.get().name == "sound"
    assert page.locator("[aria-invalid]").count() == 0
    assert errors == []


def test_a_refused_slo_says_beside_each_field_what_is_wrong(world: World, open_as: OpenAs) -> None:
    page = open_as(world.people["Otto"])
    page.goto(f"/endpoints/{world.live('development').endpoint_id}/settings/")
    page.locator("[data-dialog=objective]").click()
    form = page.locator("#objective form")
    form.evaluate("form => { form.noValidate = true }")
    typed = {"availability": "12", "latency_quantile": "100", "window_minutes": "900"}
    for name, text in typed.items():
        form.locator(f"[name={name}]").fill(text)
    form.get_by_role("button", name="Save").click()
    form.get_by_role("alert").wait_for()
    assert form.get_by_role("alert").locator("li").all_inner_texts() == [
        "Responses without server error, at least: From 50 to 100%, such as 99.9",
        "Of the responses, at least: From 50 to 99.9%, such as 99",
        "Over the last: From 1 to 360 minutes",
    ]
    for name, text in typed.items():
        field = form.locator(f"[name={name}]")
        assert field.input_value() == text
        assert field.get_attribute("aria-invalid") == "true"
    assert form.locator("[name=availability]").evaluate("f => document.activeElement === f")


def test_a_refused_dialog_opens_again_and_says_why_inside(
    world: World, open_as: OpenAs, pictures: Path
) -> None:
    page = open_as(world.people["Rex"])
    send = reject(page, world, "x" * 4001)
    page.locator("#review textarea").evaluate("text => text.removeAttribute('maxlength')")
    page.locator("#review textarea").fill("   ")
    page.locator("#review form").evaluate("form => { form.noValidate = true }")
    send.click()
    page.locator("#review [role=alert]").wait_for()
    assert page.locator("#review").is_visible()
    assert page.locator("#review textarea").input_value() == "   "
    assert page.locator(".notices .notice").count() == 0
    checked(page, pictures, "refused-dialog")


def test_where_placet_is_out_of_reach_nothing_is_sent_and_the_text_stays(
    world: World, open_as: OpenAs, pictures: Path
) -> None:
    page = open_as(world.people["Rex"])
    send = reject(page, world, "Worse on Mondays")
    page.context.set_offline(True)
    send.click()
    page.locator("#review").get_by_text("Could not reach Placet").wait_for()
    assert "Nothing was sent" in page.locator("#review [role=alert]").inner_text()
    assert page.locator("#review textarea").input_value() == "Worse on Mondays"
    assert "data as of" in (page.locator("#lost").text_content() or "")
    assert send.is_enabled()
    page.emulate_media(reduced_motion="reduce")
    page.screenshot(path=pictures / "out-of-reach.png")
    page.context.set_offline(False)
    expect(page.locator("#lost")).to_have_text("", timeout=30_000)
    assert not Decision.objects.exists()
    send.click()
    page.get_by_text("Rejected.").first.wait_for()
    assert Decision.objects.count() == 1


def test_a_proxy_that_answers_for_placet_is_not_taken_for_it(world: World, open_as: OpenAs) -> None:
    page = open_as(world.people["Rex"])
    send = reject(page, world, "Worse on Mondays")
    page.route("**/livez", lambda route: route.fulfill(status=502, body="Bad Gateway"))
    send.click()
    page.locator("#review").get_by_text("Could not reach Placet").wait_for()
    page.unroute("**/livez")
    send.dblclick()
    page.get_by_text("Rejected.").first.wait_for()
    assert Decision.objects.count() == 1


def test_a_button_that_is_renewed_while_it_is_pressed_is_pressed_all_the_same(
    world: World, open_as: OpenAs
) -> None:
    page, held = open_as(world.people["Rex"]), list[Route]()
    page.add_init_script("AbortSignal.timeout = () => new AbortController().signal")
    send = reject(page, world, "Worse on Mondays")
    page.route("**/livez", lambda route: held.append(route))
    with page.expect_request("**/livez"):
        send.click()
    page.locator("#review form").evaluate("form => form.remove()")
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.get_by_text("Rejected.").first.wait_for()
    assert Decision.objects.count() == 1


def test_without_an_answer_nobody_says_whether_it_came(world: World, open_as: OpenAs) -> None:
    page = open_as(world.people["Rex"])
    send = reject(page, world, "Worse on Mondays")
    stops = "form => form.addEventListener('submit', event => event.preventDefault())"
    page.locator("#review form").evaluate(stops)  # no page comes after it
    send.click()
    page.reload()
    page.locator("#review").get_by_text("it is not known whether this was received").wait_for()
    assert page.locator("#review textarea").input_value() == "Worse on Mondays"
    page.reload()
    assert page.locator("#review textarea").input_value() == ""


def test_what_was_typed_waits_ten_minutes_beside_the_page_to_sign_in_and_for_nobody_else(
    world: World, open_as: OpenAs
) -> None:
    page = open_as(world.people["Rex"])
    page.clock.install()
    kept = "sessionStorage.getItem('placet.typed')"
    stops = "form => form.addEventListener('submit', event => event.preventDefault())"
    for other in (False, True):
        send = reject(page, world, "Worse on Mondays")
        page.locator("#review form").evaluate(stops)
        send.click()
        page.context.clear_cookies(name=SESSION)
        page.goto("/accounts/login/")
        page.clock.run_for(590_000)
        assert "Worse on Mondays" in page.evaluate(kept)
        if other:
            go_on_as(world.people["Otto"], page)
            page.goto("/accounts/reauthenticate/")
        else:
            page.clock.run_for(20_000)
        assert page.evaluate(kept) is None
        go_on_as(world.people["Rex"], page)


def test_a_message_that_is_kept_for_a_renewed_page_is_shown_to_its_reader_alone(
    world: World, open_as: OpenAs
) -> None:
    page = open_as(world.people["Rex"])
    reject(page, world, "Worse on Mondays").click()
    page.locator(".notice", has_text="Rejected.").wait_for()
    page.evaluate("document.dispatchEvent(new Event('placet:renewed'))")
    go_on_as(world.people["Otto"], page)
    page.goto("/releases/")
    page.locator("h1").wait_for()
    assert page.locator(".notice").count() == 0
    assert page.evaluate("sessionStorage.getItem('placet.notices')") is None


def test_with_all_cookies_lost_one_button_leads_back_to_what_was_typed(
    world: World, open_as: OpenAs
) -> None:
    page = open_as(world.people["Rex"])
    send = reject(page, world, "Worse on Mondays")
    path = page.url
    cookie = browser(world.people["Rex"]).cookies[SESSION].value
    page.context.clear_cookies()
    send.click()
    page.get_by_text("This form is out of date").wait_for()
    assert not Decision.objects.exists()
    page.context.add_cookies([{"name": SESSION, "value": cookie, "url": path}])
    page.get_by_role("link", name="Back to the form").click()
    page.wait_for_url(path)
    assert page.locator("#review textarea").input_value() == "Worse on Mondays"


def test_what_is_too_long_or_secret_is_kept_nowhere(world: World, open_as: OpenAs) -> None:
    page = open_as(world.people["Alan"])
    page.goto("/models/")
    page.get_by_role("button", name="New model").first.click()
    form = page.locator("#new-model form")
    form.evaluate(
        """form => {
          form.insertAdjacentHTML('beforeend', `<input type=password name=p value=hush>
            <input name=c value=271828 autocomplete=one-time-code>`);
          form.addEventListener('submit', event => event.preventDefault());
          form.noValidate = true;
        }"""
    )
    page.locator("#nm-text").fill("For the branch offices")
    page.get_by_role("button", name="Create").click()
    kept = page.evaluate("sessionStorage.getItem('placet.typed')")
    assert "For the branch offices" in kept
    assert "hush" not in kept
    assert "271828" not in kept
    page.locator("#nm-text").evaluate("text => { text.value = 'x'.repeat(1000001) }")
    page.get_by_role("button", name="Create").click()
    assert page.evaluate("sessionStorage.getItem('placet.typed')") is None


def test_a_message_lies_over_the_page_until_it_is_dismissed(
    world: World, open_as: OpenAs, pictures: Path
) -> None:
    page = open_as(world.people["Rex"])
    errors = errors_of(page)
    send = reject(page, world, "Worse on Mondays")
    page.keyboard.press("Escape")
    before = page.locator("h1").evaluate(TOP)
    page.get_by_role("button", name="Finish review…").click()
    send.click()
    notice = page.locator(".notice", has_text="Rejected.")
    notice.wait_for()
    notice.get_by_role("button", name="Dismiss").focus()  # it stays for as long as it is used
    assert notice.get_attribute("role") == "status"
    assert page.locator("h1").evaluate(TOP) == before
    checked(page, pictures, "notice")
    page.evaluate("document.dispatchEvent(new Event('placet:renewed'))")
    page.reload()
    notice.wait_for()
    notice.get_by_role("button", name="Dismiss").click()
    assert page.locator(".notice").count() == 0
    assert errors == []


def test_good_news_goes_by_itself_when_nobody_points_at_it(world: World, open_as: OpenAs) -> None:
    page = open_as(world.people["Rex"])
    page.clock.install()
    send = reject(page, world, "Worse on Mondays")
    send.click()
    notice = page.locator(".notice", has_text="Rejected.")
    notice.wait_for()
    notice.hover()
    page.clock.run_for(16_000)
    assert notice.is_visible()
    page.mouse.move(5, 5)
    page.clock.run_for(4_000)
    assert page.locator(".notice").count() == 0


def test_without_scripts_messages_stand_on_top(
    world: World, open_as: OpenAs, chromium: Browser
) -> None:
    path = open_as(world.people["Rex"]).url  # keeps the database beside the browser
    assert path
    release = world.request("staging")
    client = browser(world.people["Rex"])
    where = f"/releases/{release.pk}/"
    client.post(f"{where}decide", {"verdict": "reject", "comment": " ", "next": where})
    html = client.get(where).content.decode()
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": 800, "height": 900}
    )
    page = context.new_page()
    page.set_content(html)
    notice, head = page.locator("[role=alert]").first, page.locator("h1").first
    assert notice.is_visible()
    assert (notice.bounding_box() or {})["y"] < (head.bounding_box() or {})["y"]
    context.close()


def test_who_is_signed_out_meanwhile_sees_no_sign_in_page_inside_the_page(
    world: World, open_as: OpenAs
) -> None:
    endpoint = world.live("development").endpoint
    page = open_as(world.people["Otto"])
    page.goto(f"/endpoints/{endpoint.pk}/")
    page.context.clear_cookies(name=SESSION)
    page.get_by_text("You were signed out").wait_for()
    assert page.locator("input[name=password]").count() == 0
