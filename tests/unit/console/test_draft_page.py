"""What the checklist of a draft says: who tells each thing, people or the files."""

from dataclasses import replace
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils.html import strip_tags

from apps.console.queries.draft.forms import MetricsForm
from apps.console.queries.draft.page import DraftPage
from apps.console.queries.draft.rows import TypedRow
from apps.registry.formats import Derived
from apps.registry.models import ModelVersion, Upload
from apps.registry.readiness import DraftReport
from apps.registry.rules import evidence_faults
from placet.kernel.actor import SYSTEM
from placet.kernel.problems import FieldError, InvalidInput

COLUMNS = {"inputs": [{"name": "age", "type": "long"}], "outputs": []}
TYPED = "Typed in or copied, not read from the files"
FOUND = "Found in the files"


def page(derived: Derived | None, **given: Any) -> DraftPage:
    return DraftPage(ModelVersion(**given), SYSTEM, [], [], DraftReport(derived, ()), {}, None)


def says(part: str, derived: Derived | None, **given: Any) -> list[str]:
    steps = {step.part: step for step in page(derived, **given).steps}
    return [*steps[part].says]


@pytest.mark.parametrize(
    ("derived", "typed", "said"),
    [
        (Derived("lightgbm", signature=COLUMNS), None, FOUND),
        (Derived("lightgbm", signature=COLUMNS), COLUMNS, TYPED),
        (Derived("skops"), COLUMNS, TYPED),
        (Derived("skops"), None, "Type it in: the files do not say"),
        (Derived("bentoml"), None, "Optional: the files have APIs of their own"),
        (None, None, "Found in the files if their format tells it; if not, type it in"),
    ],
)
def test_the_checklist_says_whether_people_or_the_files_tell_the_signature(
    derived: Derived | None, typed: Any, said: str
) -> None:
    assert says("signature", derived, signature=typed) == [said]


def test_the_checklist_says_who_tells_python_and_packages() -> None:
    told = Derived("mlflow", python_version="3.13", requirements=["numpy==2.3.5"])
    assert says("runtime", told, requirements=["numpy==2.3.6"]) == [
        "Format: found in the files",
        "Python: found in the files",
        "Packages: typed in or copied, not read from the files",
    ]
    assert says("runtime", None, python_version="3.13") == [
        "Format: found in the files once they are there",
        "Python: typed in or copied, not read from the files",
    ]


def test_files_are_not_called_wrong_before_one_was_sent() -> None:
    lacking = [FieldError("/files", "Upload at least one file")]
    found = DraftPage(ModelVersion(), SYSTEM, [], [], DraftReport(None, lacking), {}, None)
    files = found.steps[0]
    assert (files.part, files.state) == ("files", "")
    assert files.says == ["Nothing uploaded yet", "Upload at least one file"]
    begun = replace(found, uploads=[Upload(path="a", size=2, received=1)])
    assert begun.steps[0].state == "failed"


def test_beside_the_format_stands_who_says_its_packages() -> None:
    told = Derived("mlflow", python_version="3.13", requirements=["numpy==2.3.5"])
    assert (page(told).python, page(told).requirements_by) == (
        "3.13 (found in the files)",
        "found in the files",
    )
    typed = page(told, python_version="3.12", requirements=["numpy==2.3.6"])
    assert (typed.python, typed.requirements_by) == (
        "3.12 (typed in or copied)",
        "typed in or copied",
    )


@pytest.mark.parametrize(
    ("names", "value", "at"),
    [
        (["auc"], "good", [{"value"}]),
        (["1st"], "0.9", [{"name"}]),
        (["auc", "auc"], "0.9", [set(), {"name"}]),
    ],
)
def test_what_is_wrong_with_a_metric_stands_beside_its_value_or_its_name(
    names: list[str], value: str, at: list[set[str]]
) -> None:
    form = MetricsForm(metrics=[TypedRow({"name": name, "value": value}) for name in names])
    try:
        form.place(evidence_faults("metrics", form.data()), "")
    except InvalidInput as problem:
        form.place(problem.errors, "")
    assert [{*row.faults} for row in form.metrics] == at


@pytest.mark.parametrize(
    ("name", "said"), [("skops", "Format skops"), ("lightgbm", "Format lightgbm · LightGBM")]
)
def test_a_format_that_is_called_as_its_library_is_said_once(name: str, said: str) -> None:
    shown = render_to_string("console/draft/recognised.html", {"page": page(Derived(name))})
    words = " ".join(strip_tags(shown).split())
    assert words.partition(" Python")[0].endswith(said)
