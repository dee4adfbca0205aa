"""Lists that are filtered as soon as something is chosen, and the project that one stands in."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.factories import person
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


def test_a_list_is_filtered_at_once_by_keyboard_too_and_back_undoes_it(
    world: World, open_as: OpenAs
) -> None:
    live = world.live()
    world.request("staging", endpoint="waits")
    page = open_as(world.people["Otto"])
    page.goto("/releases/")
    rows = page.locator("main table").last
    there = rows.get_by_role("cell", name="staging / waits")
    expect(there).to_be_visible()
    assert page.get_by_role("button", name="Apply").count() == 0
    state = page.get_by_label("State")
    state.focus()
    state.select_option("live")
    page.wait_for_url(f"**/releases/?*state={live.state}*")
    expect(rows.get_by_text("waits")).to_have_count(0)
    expect(rows.get_by_role("link", name=f"Risk {live.number}")).to_be_visible()
    assert page.evaluate("document.activeElement.name") == "state"  # where one was
    page.go_back()
    expect(there).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def test_without_scripts_a_button_applies_it(world: World, open_as: OpenAs) -> None:
    world.live()
    page = open_as(world.people["Otto"], scripts=False)
    page.goto("/releases/")
    page.get_by_label("State").select_option("requested")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**/releases/?state=requested*")


def test_one_stands_in_the_project_that_one_opened_until_one_opens_another(
    world: World, open_as: OpenAs
) -> None:
    world.live()
    other = World("other")
    page = open_as(world.people["Ada"])
    main = page.get_by_role("navigation", name="Main")
    page.goto("/")
    expect(main.get_by_text("All projects").first).to_be_visible()
    main.locator("summary").click()
    assert main.get_by_role("link", name="Other").count() == 0  # hidden from Ada
    main.get_by_role("link", name="Risk").click()
    page.wait_for_url("**/projects/risk/")
    main.get_by_role("link", name="Releases").click()
    page.wait_for_url("**/releases/?project=risk")
    page.goto("/inbox/")  # about no project
    expect(main.locator("summary")).to_contain_text("Risk")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/models/?project=risk")
    page.goto(f"/projects/{other.project.slug}/", wait_until="commit")
    page.goto("/projects/")
    expect(main.locator("summary")).to_contain_text("All projects")


def test_the_fields_of_the_log_stand_in_lines(world: World, open_as: OpenAs) -> None:
    page = open_as(person("Eve", {"auditor": world.project}))
    page.goto("/audit/")
    for names in (("Category", "Event", "Person"), ("About (a name or an ID)", "Project")):
        labels = [page.locator("form label", has_text=name).first for name in names]
        tops = [box["y"] for label in labels if (box := label.bounding_box())]
        assert len(set(tops)) == 1 and len(tops) == len(names), (names, tops)
