"""People discuss a metric of a release: on a desk and on a phone, by day and by night."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from apps.discussions.models import Comment, CommentFile, FileContent, Mention, Thread
from tests.browser.test_story import SERIOUS
from tests.browser.test_widths import OUTSIDE
from tests.support.comment_files import scanned
from tests.support.processes import until
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]


def sound(page: Page) -> None:
    """Hold a page against what everybody needs of one."""
    found = [v for v in Axe().run(page).response["violations"] if v["impact"] in SERIOUS]
    assert not found, "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found)
    assert page.evaluate(OUTSIDE) == []


def test_files_that_are_too_many_or_too_long_are_named_before_they_are_sent(
    world: World, open_as: OpenAs
) -> None:
    release = world.request("staging", world.bento(world.version()))
    rex = open_as(world.people["Rex"])
    rex.goto(f"/releases/{release.pk}/discussion/")
    rex.get_by_label("Comment", exact=True).fill("My long thought")
    chooser = rex.get_by_label("Files")

    def choose(*sizes: int) -> str:
        kind = "application/octet-stream"
        chosen = [
            {"name": f"{n}.bin", "mimeType": kind, "buffer": bytes(size)}
            for n, size in enumerate(sizes)
        ]
        chooser.set_input_files(chosen)  # type: ignore[arg-type]
        return str(chooser.evaluate("input => input.validationMessage"))

    assert choose(1, 1, 1, 1, 1) == "4.bin is one too many: a comment takes 4 files"
    assert choose(5_100_000) == "0.bin has 5.1 MB, and at most 5.0 MB are taken"
    assert "Together they have 14.7 MB" in choose(4_900_000, 4_900_000, 4_900_000)
    rex.get_by_role("button", name="Open discussion").click()
    assert not Comment.objects.exists()
    assert choose(1, 1) == ""
    rex.get_by_role("button", name="Open discussion").click()
    rex.locator("article").get_by_text("My long thought").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_metric_is_discussed_and_the_mentioned_read_it(
    world: World, open_as: OpenAs, pictures: Path, theme: str
) -> None:
    release = world.request("staging", world.bento(world.version(), metrics={"auc": 0.9}))
    rex = open_as(world.people["Rex"], theme=theme)
    rex.goto(f"/releases/{release.pk}/evidence/")
    rex.get_by_role("link", name="Discuss auc").click()
    rex.get_by_label("Comment", exact=True).fill(
        "Why is **auc** so high, @vera.risk?\n\n| a | b |\n|-|-|\n|1|2|"
    )
    sound(rex)
    rex.get_by_role("button", name="Open discussion").dblclick()
    rex.get_by_text("Mentioned: Vera risk").wait_for()
    assert (Thread.objects.count(), Comment.objects.count()) == (1, 1)
    sound(rex)
    vera = open_as(world.people["Vera"], theme=theme, width=390)
    vera.goto("/inbox/")
    sound(vera)
    vera.get_by_role("link", name="Release 1").click()
    until(lambda: not Mention.objects.filter(seen_at=None).exists(), what="the thread to be read")
    vera.get_by_role("button", name="Mark as read").wait_for(state="detached")
    vera.get_by_label("Comment", exact=True).fill("The rows leak")
    vera.get_by_role("button", name="Reply").click()
    vera.locator("article").get_by_text("The rows leak").wait_for()
    sound(vera)
    vera.screenshot(path=pictures / f"thread-{theme}-390.png", full_page=True)
    rex.reload()
    rex.get_by_role("button", name="Edit…").click()
    rex.get_by_role("dialog").get_by_label("Comment", exact=True).fill("Why was it so high?")
    sound(rex)
    rex.get_by_role("button", name="Save").click()
    rex.locator("article").get_by_text("Why was it so high?").wait_for()
    vera.get_by_role("button", name="Resolve").click()
    vera.get_by_text("reopen it to reply").wait_for()
    rex.reload()
    rex.get_by_text("reopen it to reply").wait_for()
    assert rex.get_by_role("button", name="Edit…").count() == 0
    sound(rex)
    rex.screenshot(path=pictures / f"thread-{theme}-1440.png", full_page=True)
    rex.get_by_role("link", name="All discussions").click()
    rex.get_by_role("link", name="Why was it so high?").wait_for()
    sound(rex)
    rex.screenshot(path=pictures / f"discussion-{theme}-1440.png", full_page=True)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chart_goes_with_a_comment_and_is_saved_not_shown(
    world: World, open_as: OpenAs, pictures: Path, tmp_path: Path, theme: str
) -> None:
    release = world.request("staging")
    rex = open_as(world.people["Rex"], theme=theme)
    rex.goto(f"/releases/{release.pk}/discussion/")
    lie, page = tmp_path / "chart.png", tmp_path / "page.html"
    for path in (lie, page):
        path.write_text("<script>document.title = 'drawn'</script>")
    rex.get_by_label("Comment", exact=True).fill("See the chart")
    rex.get_by_label("Files", exact=True).set_input_files(lie)
    rex.get_by_role("button", name="Open discussion").click()
    rex.get_by_text("chart.png is called .png, and its bytes are of the type HTML").wait_for()
    assert rex.get_by_label("Comment", exact=True).input_value() == "See the chart"
    sound(rex)
    rex.get_by_label("Files", exact=True).set_input_files(page)
    rex.get_by_role("button", name="Open discussion").dblclick()
    rex.get_by_text("Being scanned").wait_for()
    sound(rex)
    scanned(CommentFile.objects.get())
    vera = open_as(world.people["Vera"], theme=theme, width=390)
    vera.goto(f"/threads/{Thread.objects.get().pk}/")
    sound(vera)
    vera.screenshot(path=pictures / f"files-{theme}-390.png", full_page=True)
    with vera.expect_download() as saved:
        vera.get_by_role("link", name="page.html").click()
    assert saved.value.suggested_filename == "page.html"
    assert Path(saved.value.path()).read_bytes() == page.read_bytes()
    rex.reload()
    delete = rex.get_by_role("button", name="Delete page.html…")
    box = delete.bounding_box()
    assert box is not None
    assert box["height"] >= 24, "a finger on it touches no other file's"
    delete.click()
    sound(rex)
    rex.get_by_role("button", name="Delete file").click()
    rex.get_by_role("link", name="page.html").wait_for(state="detached")
    assert not FileContent.objects.exists()
