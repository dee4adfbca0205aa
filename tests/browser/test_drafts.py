"""A data scientist registers a version by upload alone, from an empty model to a draft that is
ready; what is cut goes on, and what is wrong is said beside it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from apps.builds.models import Build
from apps.registry.actions import create_version
from apps.registry.models import ArtifactFile, ModelVersion
from placet.kernel.config import config
from tests.support.installation import ROOT
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[..., Page]
ONNX = ROOT / "examples" / "breast-cancer" / "model.onnx"


@pytest.fixture
def draft(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelVersion:
    """A draft that Ada has just begun, in a store of its own."""
    monkeypatch.setattr(config(), "data_dir", tmp_path / "data")
    model = world.version().model
    return create_version(model, actor=world.ada)


def place(version: ModelVersion) -> str:
    return f"/models/{version.project.slug}/{version.model.name}/{version.number}/draft/"


def test_a_data_scientist_registers_a_version_by_upload_alone(
    world: World, draft: ModelVersion, open_as: OpenAs
) -> None:
    page = open_as(world.people["Ada"])
    page.goto(f"/models/{draft.project.slug}/{draft.model.name}/")
    page.get_by_role("button", name="New version").click()
    page.get_by_text("Upload at least one file").wait_for()
    assert page.get_by_role("button", name="Finalise and build").is_disabled()
    page.get_by_label("Choose files").set_input_files(ONNX)
    page.locator("#recognised").get_by_text("onnx").first.wait_for()
    signature = page.locator("#signature")
    signature.get_by_text("As the files tell it").wait_for()
    version = ModelVersion.objects.order_by("-number")[0]
    assert ArtifactFile.objects.get(version=version).path == "model.onnx"
    metrics = page.locator("#metrics")
    metrics.get_by_role("button", name="Add metric").click()
    metrics.get_by_label("metric name").fill("auc")
    metrics.get_by_label("metric value").fill("good")
    metrics.get_by_role("button", name="Save metrics").click()
    metrics.get_by_text("A metric must be a finite number").wait_for()
    assert metrics.get_by_label("metric value").input_value() == "good"
    metrics.get_by_label("metric value").fill("0.93")
    metrics.get_by_role("button", name="Save metrics").click()
    metrics.get_by_text("Saved.").wait_for()
    page.get_by_role("button", name="Finalise and build").dblclick()
    page.wait_for_url("**/builds/**")
    assert Build.objects.filter(version=version).count() == 1
