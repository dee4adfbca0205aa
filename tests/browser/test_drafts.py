"""A data scientist registers a version by upload alone, from an empty model to a draft that is
ready; what is cut goes on, and what is wrong is said beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from apps.builds.models import Build
from apps.console.queries.models import newest_metrics
from apps.registry.actions import add_evidence, create_version, edit_draft, set_card, start_upload
from apps.registry.models import ArtifactFile, ModelVersion, Upload
from placet.kernel.config import config
from placet_protocol.cookies import SESSION
from tests.browser.test_kept_forms import go_on_as
from tests.support.installation import ROOT
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
ONNX = ROOT / "examples" / "breast-cancer" / "model.onnx"

# the options of selects on a page whose text is wider than what the select shows
CUT = """() => [...document.querySelectorAll("main select")].flatMap((list) => {
  if (!list.offsetParent) return [];
  const style = getComputedStyle(list), pen = document.createElement("canvas").getContext("2d");
  pen.font = style.font;
  const room = list.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const texts = [...list.options].map((option) => option.text);
  return texts.filter((text) => pen.measureText(text).width > room + 0.5);
})"""


@pytest.fixture
def draft(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelVersion:
    """A draft that Ada has just begun, in a store of its own."""
    monkeypatch.setattr(config(), "data_dir", tmp_path / "data")
    model = world.version().model
    return create_version(model, actor=world.ada)


def place(version: ModelVersion) -> str:
    return f"/models/{version.project.slug}/{version.model.name}/{version.number}/draft/"


@pytest.mark.parametrize("width", [1440, 390])
def test_a_data_scientist_registers_a_version_by_upload_alone(
    world: World, draft: ModelVersion, open_as: OpenAs, width: int
) -> None:
    page = open_as(world.people["Ada"], width=width)
    page.goto(f"/models/{draft.project.slug}/{draft.model.name}/")
    page.get_by_role("button", name="New version").click()
    page.get_by_text("Upload at least one file").wait_for()
    assert page.get_by_role("button", name="Finalise and build").is_disabled()
    page.get_by_label("Choose files").set_input_files(ONNX)
    page.locator("#recognised").get_by_text("onnx").first.wait_for()
    signature = page.locator("#signature")
    signature.get_by_text("Found in the files").wait_for()
    version = ModelVersion.objects.order_by("-number")[0]
    assert ArtifactFile.objects.get(version=version).path == "model.onnx"
    metrics = page.locator("#metrics")
    metrics.get_by_role("button", name="Add metric").click()
    metrics.get_by_label("metric name").fill("auc")
    metrics.get_by_label("metric value").fill("good")
    metrics.get_by_role("button", name="Save metrics").click()
    metrics.get_by_text("A metric must be a finite number").wait_for()
    metrics.get_by_text("Not saved yet. Please fix: metric value.").wait_for()
    expect(metrics.get_by_label("metric value")).to_be_focused()
    assert metrics.get_by_label("metric value").input_value() == "good"
    metrics.get_by_label("metric value").fill("0.93")
    metrics.get_by_role("button", name="Save metrics").click()
    metrics.get_by_text("Saved.", exact=True).wait_for()
    page.get_by_role("button", name="Finalise and build").dblclick()
    page.wait_for_url("**/builds/**")
    assert Build.objects.filter(version=version).count() == 1


def test_a_file_that_was_cut_goes_on_after_a_reload(
    world: World, draft: ModelVersion, open_as: OpenAs, tmp_path: Path
) -> None:
    large = tmp_path / "weights.bin"
    large.write_bytes(bytes(range(256)) * (20 << 12))  # 20 MiB: three chunks
    page = open_as(world.people["Ada"])
    page.goto(place(draft))
    cut: list[str] = []

    def stop(route: Route) -> None:
        if route.request.method != "PATCH" or int(route.request.headers["upload-offset"]) < 8 << 20:
            route.continue_()
        else:
            cut.append(route.request.headers["upload-offset"])
            route.abort()

    page.route("**/api/v1/uploads/*", stop)
    page.get_by_label("Choose files").set_input_files(large)
    page.get_by_text("The connection was lost").wait_for()
    assert cut[0] == str(8 << 20)
    page.on("dialog", lambda dialog: dialog.accept())  # leave, although it is not done
    page.reload()
    page.get_by_text("choose the same file again to resume").wait_for()
    page.unroute("**/api/v1/uploads/*")
    sent: list[int] = []
    page.on("request", lambda r: sent.append(int(r.headers.get("upload-offset", -1))))
    page.get_by_label("Choose files").set_input_files(large)
    page.locator("[data-sent]", has_text="weights.bin is uploaded").wait_for()
    assert min(offset for offset in sent if offset >= 0) == 8 << 20
    assert ArtifactFile.objects.get(version=draft).size == large.stat().st_size
    page.get_by_role("button", name="Remove weights.bin").click()
    page.get_by_text("No files yet.").wait_for()


def test_what_cannot_be_sent_is_refused_by_name_and_a_file_can_be_given_up(
    world: World, draft: ModelVersion, open_as: OpenAs, tmp_path: Path
) -> None:
    world.project.artifact_quota = 20 << 20
    world.project.save(update_fields=["artifact_quota"])
    page = open_as(world.people["Ada"], width=390)
    page.goto(place(draft))
    files = {"mod:el.txt": 4, "huge.bin": 21 << 20, "kept.bin": 9 << 20, ".DS_Store": 1}
    for name, size in files.items():
        (tmp_path / name).write_bytes(b"x" * size)
    chooser = page.get_by_label("Choose files")
    chooser.set_input_files([tmp_path / "mod:el.txt", tmp_path / "huge.bin"])
    page.locator(".sending", has_text="mod:el.txt").get_by_text("may not hold any of").wait_for()
    page.locator(".sending", has_text="huge.bin").get_by_text("are left for this").wait_for()
    page.get_by_role("button", name="Dismiss huge.bin").click()
    page.route(
        "**/api/v1/uploads/*", lambda r: None if r.request.method == "PATCH" else r.continue_()
    )
    chooser.set_input_files([tmp_path / "kept.bin", tmp_path / ".DS_Store"])
    page.get_by_text("Left out: .DS_Store").wait_for()
    page.locator(".sending", has_text="0 B of 9.4 MB").wait_for()
    page.get_by_role("button", name="Cancel kept.bin").first.click()
    page.locator("[data-sent]", has_text="kept.bin was cancelled").wait_for()
    assert not Upload.objects.exists()
    assert not ArtifactFile.objects.filter(version=draft).exists()


def test_a_folder_is_sent_with_the_paths_inside_it(
    world: World, draft: ModelVersion, open_as: OpenAs, tmp_path: Path
) -> None:
    for name in ("MLmodel", "data/model.pkl", "__pycache__/x.pyc"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_text(name)
    page = open_as(world.people["Ada"])
    page.goto(place(draft))
    page.locator("[data-inside]").set_input_files(tmp_path / "run")
    page.get_by_role("button", name="Remove data/model.pkl").wait_for()
    paths = ArtifactFile.objects.filter(version=draft).values_list("path", flat=True)
    assert sorted(paths) == ["MLmodel", "data/model.pkl"]


def test_what_was_saved_is_not_put_back_over_what_a_colleague_wrote_since(
    world: World, draft: ModelVersion, open_as: OpenAs
) -> None:
    page = open_as(world.people["Ada"])
    page.goto(place(draft))
    card = page.locator("#card")
    card.get_by_label("Markdown").fill("# Mine")
    card.get_by_role("button", name="Save card").click()
    card.get_by_text("Saved.", exact=True).wait_for()
    set_card(draft, card="# Theirs", actor=world.ada)
    page.reload()
    assert card.get_by_label("Markdown").input_value() == "# Theirs"
    assert page.get_by_text("No answer came").count() == 0


def test_what_was_typed_waits_for_who_has_to_sign_in(
    world: World, draft: ModelVersion, open_as: OpenAs
) -> None:
    page = open_as(world.people["Ada"])
    page.goto(place(draft))
    page.get_by_label("Markdown").fill("# Mine")
    page.context.clear_cookies(name=SESSION)
    page.get_by_role("button", name="Save card").click()
    page.locator("input[name=password]").wait_for()
    go_on_as(world.people["Ada"], page)
    page.goto(place(draft))
    assert page.get_by_label("Markdown").input_value() == "# Mine"


def test_what_is_not_saved_is_neither_frozen_without_nor_left_unasked(
    world: World, draft: ModelVersion, open_as: OpenAs, pictures: Path
) -> None:
    page = open_as(world.people["Ada"])
    errors: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(place(draft))
    page.get_by_label("Choose files").set_input_files(ONNX)
    page.locator("#recognised").get_by_text("onnx").first.wait_for()
    card, metrics = page.locator("#card"), page.locator("#metrics")
    box = card.get_by_label("Markdown")
    box.evaluate("box => { box.style.height = '300px'; }")  # as pulling at its corner does
    template = box.input_value()
    card.get_by_role("button", name="Preview").click()
    card.get_by_role("region", name="Preview").wait_for()
    assert not card.get_by_text("Unsaved changes").is_visible()
    box.fill("# Mine")
    card.get_by_text("Unsaved changes").wait_for()
    box.fill(template)
    card.get_by_text("Unsaved changes").wait_for(state="hidden")
    box.fill("# Mine")
    metrics.get_by_role("button", name="Add metric").click()
    metrics.get_by_label("metric name").fill("auc")
    metrics.get_by_label("metric value").fill("0.93")
    asked = page.locator("#checklist").get_by_text("Metrics and Model card have unsaved changes")
    asked.wait_for()
    page.get_by_role("button", name="Finalise and build").click()
    assert metrics.get_by_role("button", name="Save metrics").evaluate(
        "button => button === document.activeElement"
    )
    assert not errors  # none for styles either
    page.screenshot(path=pictures / "draft-unsaved-light-1440.png", full_page=True)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    metrics.get_by_role("button", name="Save metrics").click()
    page.locator("#checklist").get_by_text("Model card has unsaved changes").wait_for()
    page.reload()
    assert dialogs == ["beforeunload"]
    assert box.input_value() == template
    assert metrics.get_by_label("metric value").input_value() == "0.93"
    page.get_by_role("button", name="Finalise and build").click()
    page.wait_for_url("**/builds/**")
    assert dialogs == ["beforeunload"]


@pytest.mark.parametrize("width", [1440, 1024, 390, 320])
def test_no_choice_is_cut_off_whatever_the_width(
    world: World, draft: ModelVersion, open_as: OpenAs, width: int
) -> None:
    page = open_as(world.people["Ada"], width=width)
    page.goto(place(draft))
    for one in ("input", "output"):
        page.get_by_role("button", name=f"Add {one}").click()
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1440, 390])
def test_who_adds_a_row_goes_on_typing_in_it_and_loses_nothing(
    world: World, draft: ModelVersion, open_as: OpenAs, width: int
) -> None:
    """The keys follow the button at once, and no answer of the server is waited for."""
    page = open_as(world.people["Ada"], width=width)
    page.goto(place(draft))
    tables = {
        "input": "#inputs-rows",
        "output": "#outputs-rows",
        "metric": "#metrics-rows",
        "data set": "#datasets-rows",
        "parameter": "#parameters-rows",
    }
    for one, table in tables.items():
        button = page.get_by_role("button", name=f"Add {one}")
        for name in ("first", "second"):
            button.press("Enter")
            page.keyboard.type(name)
        names = page.locator(table).get_by_label(f"{one} name")
        assert [box.input_value() for box in names.all()] == ["first", "second"]
        expect(names.last).to_be_focused()
    page.get_by_role("button", name="Remove parameter").first.click()
    names = page.locator("#parameters-rows").get_by_label("parameter name")
    assert [box.input_value() for box in names.all()] == ["second"]
    page.get_by_role("button", name="Remove parameter").click()
    expect(page.get_by_role("button", name="Add parameter")).to_be_focused()
    assert not page.locator("#parameters-rows").is_visible()


def test_what_is_typed_while_a_part_is_saved_stays(
    world: World, draft: ModelVersion, open_as: OpenAs
) -> None:
    page = open_as(world.people["Ada"])
    page.goto(place(draft))
    held: list[Route] = []
    page.route("**/save/metrics", lambda route: held.append(route))
    metrics = page.locator("#metrics")
    metrics.get_by_role("button", name="Add metric").click()
    page.keyboard.type("auc")
    metrics.get_by_label("metric value").fill("0.9")
    with page.expect_request("**/save/metrics"):
        metrics.get_by_role("button", name="Save metrics").click()
    metrics.get_by_role("button", name="Add metric").click()
    page.keyboard.type("f")
    held[0].continue_()
    metrics.get_by_text("Saved.", exact=True).wait_for()
    names = metrics.get_by_label("metric name")
    expect(names.last).to_be_focused()
    page.keyboard.type("1")
    assert [box.input_value() for box in names.all()] == ["auc", "f1"]
    metrics.get_by_text("Unsaved changes").wait_for()
    page.unroute("**/save/metrics")
    metrics.get_by_label("metric value").last.fill("0.8")
    metrics.get_by_role("button", name="Save metrics").click()
    expect(metrics.get_by_text("Unsaved changes")).to_be_hidden()
    assert newest_metrics([draft])[draft.pk] == {"auc": 0.9, "f1": 0.8}


def test_a_row_that_was_stored_and_is_removed_is_unsaved(
    world: World, draft: ModelVersion, open_as: OpenAs
) -> None:
    add_evidence(draft, kind="metrics", data={"auc": 0.9, "f1": 0.8}, actor=world.ada)
    page = open_as(world.people["Ada"])
    page.goto(place(draft))
    metrics = page.locator("#metrics")
    page.get_by_role("button", name="Remove metric auc").click()
    metrics.get_by_text("Unsaved changes").wait_for()
    expect(page.get_by_role("button", name="Remove metric f1")).to_be_focused()
    metrics.get_by_role("button", name="Save metrics").click()
    metrics.get_by_text("Saved.", exact=True).wait_for()
    assert newest_metrics([draft])[draft.pk] == {"f1": 0.8}


def test_blank_rows_stay_and_what_is_unsaved_goes_with_a_draft_that_is_discarded(
    world: World, draft: ModelVersion, open_as: OpenAs
) -> None:
    page = open_as(world.people["Ada"])
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.dismiss()))
    page.goto(place(draft))
    page.get_by_label("Choose files").set_input_files(ONNX)
    page.locator("#stored").get_by_text("model.onnx").wait_for()
    card = page.locator("#card")
    card.get_by_role("textbox").first.fill("# Churn")
    card.get_by_role("button", name="Save card").click()
    card.get_by_text("Saved.", exact=True).wait_for()
    names = page.locator("#metrics").get_by_label("metric name")
    for count in (1, 2):
        page.get_by_role("button", name="Add metric").click()
        expect(names).to_have_count(count)
        expect(names.last).to_be_focused()
    names.last.fill("auc")
    page.get_by_role("button", name="Add metric").click()
    expect(names).to_have_count(3)
    assert [box.input_value() for box in names.all()] == ["", "auc", ""]
    page.get_by_role("button", name="Discard draft…").click()
    page.get_by_role("button", name="Discard", exact=True).click()
    page.get_by_text(f"Discarded the draft {draft}.").wait_for()
    assert page.url.endswith("/models/risk/churn/")
    assert dialogs == []


def test_without_a_script_small_files_are_sent_by_a_plain_form(
    world: World, draft: ModelVersion, open_as: OpenAs
) -> None:
    page = open_as(world.people["Ada"], scripts=False)
    page.goto(place(draft))
    page.get_by_text("Without JavaScript, up to").wait_for()
    page.get_by_label("Choose files").set_input_files(ONNX)
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("button", name="Remove model.onnx").wait_for()
    page.get_by_role("button", name="Add metric").click()
    page.get_by_label("metric name").fill("auc")
    page.get_by_label("metric value").fill("0.9")
    page.get_by_role("button", name="Save metrics").click()
    page.get_by_text("Saved.", exact=True).wait_for()


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_the_pages_are_usable_by_everybody(
    world: World, draft: ModelVersion, open_as: OpenAs, pictures: Path, theme: str, width: int
) -> None:
    signature = {
        "inputs": [
            {"name": "age", "type": "long", "tags": ["personal"]},
            {"name": "embedding", "type": "float", "shape": [3]},
            {"name": "note", "type": "string", "required": False},
        ],
        "outputs": [{"name": "prediction", "type": "double"}],
    }
    example: Any = [{"age": 41, "embedding": [0.1, 0.2, 0.3]}]
    edit_draft(draft, signature=signature, example=example, expected=[0.25], actor=world.ada)
    start_upload(draft, path="model.joblib", size=4 << 20, sha256="a" * 64, actor=world.ada)
    page = open_as(world.people["Ada"], width=width, theme=theme)
    page.goto(place(draft))
    page.locator("#signature").get_by_label("input shape").first.fill("wide")
    page.get_by_role("button", name="Save signature").click()
    page.get_by_text("Lengths per row").wait_for()
    page.get_by_role("button", name="Add parameter").click()
    page.get_by_label("parameters name").or_(page.get_by_label("parameter name")).wait_for()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("region", name="Preview").wait_for()
    bad = [
        v for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")
    ]
    assert not bad, "; ".join(f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in bad)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"draft-{theme}-{width}.png", full_page=True)
