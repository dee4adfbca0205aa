"""What the page of a version says: evidence in a line, its columns, what is still missing."""

from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.evidence_words import evidence_words
from apps.console.queries.page_parts import Link
from apps.console.queries.version_parts import (
    columns,
    pair,
    response,
    signature_note,
)
from apps.console.queries.version_steps import Ways, steps
from apps.registry.models import Evidence

SIGNERS = {"sha256:aa": "ci"}


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("scan", {"verdict": "code-carrying", "findings": [{}]}, "Code-carrying, 1 finding"),
        ("scan", {"verdict": "safe", "findings": []}, "Safe, 0 findings"),
        (
            "smoke_test",
            {"result": "equal", "equal": 3, "rows": 3},
            "3 of 3 expected outputs equal",
        ),
        (
            "smoke_test",
            {"result": "different", "equal": 1, "rows": 3},
            "only 1 of 3 outputs as expected",
        ),
        (
            "smoke_test",
            {"result": "starts", "equal": 0, "rows": 1},
            "starts and answers the example; no expected output to compare with",
        ),
        ("smoke_test", {"result": "starts", "rows": 0}, "starts; no example to ask it with"),
        ("smoke_test", {"result": "failed", "equal": 0, "rows": 0}, "Failed"),
        ("sbom", {"components": 41}, "41 components"),
        ("model_signature", {"result": "trusted", "key": "sha256:aa"}, "signed by ci"),
        ("model_signature", {"result": "trusted", "key": "x"}, "signed by a key that is gone"),
        ("model_signature", {"result": "unknown"}, "signed by an untrusted key"),
        (
            "acceleration",
            {"verdict": "accelerated", "equal": 5, "rows": 5},
            "ONNX, 5 of 5 rows equal",
        ),
        ("acceleration", {"verdict": "original"}, "the original model is served"),
        ("metrics", {"auc": 0.9}, "1 metric"),
        ("document", {"title": "DPIA", "sha256": ""}, "DPIA"),
        ("fairness", {"attribute": "age", "metrics": {"gap": 0.1}}, "1 measure by age"),
        (
            "explainability",
            {"method": "shap", "importances": {"a": 1, "b": 2}},
            "2 features by shap",
        ),
        ("data_quality", {"checks": [{"passed": True}, {"passed": False}]}, "1 of 2 checks passed"),
        ("load_test", {"requests": 1200, "failed": 3}, "1,200 requests, 3 failed"),
        ("document", {"title": " "}, "untitled"),
        ("model_card", {"sha256": ""}, "digest of the card"),
    ],
)
def test_evidence_is_said_in_a_line(kind: str, data: dict[str, Any], said: str) -> None:
    row = Evidence(kind=kind, source="measured", bento_digest="sha256:bb", data=data)
    assert evidence_words(row, SIGNERS) == said


def test_of_an_old_safe_scan_is_said_what_gates_take_it_for() -> None:
    row = Evidence(kind="scan", source="measured", data={"verdict": "safe", "findings": []})
    assert evidence_words(row, SIGNERS) == "Code-carrying, 0 findings"


def version(**members: Any) -> Any:
    """Return a version with these members alone."""
    return SimpleNamespace(
        **{"format": "", "signature": None, "example": None, "expected": None} | members
    )


def with_format(found: Any, name: str) -> Any:
    """Return the version as one of another format."""
    return version(**{**vars(found), "format": name})


def test_columns_are_shown_with_the_first_example() -> None:
    age, sex = {"name": "age", "type": "long"}, {"name": "sex", "type": "string"}
    found = version(
        signature={"inputs": [age, sex | {"required": False}], "outputs": [{"name": "p"} | age]},
        example=[{"age": 41}],
        expected=[0.25],
    )
    inputs, outputs = columns(found)
    assert [(c.name, c.required, c.example) for c in inputs] == [
        ("age", "yes", 41),
        ("sex", "no", ""),
    ]
    assert [(c.required, c.example) for c in outputs] == [("", 0.25)]
    assert response(found) == ""
    assert response(with_format(found, "onnx")) == '{"prediction": 0.25}'
    assert response(with_format(found, "mlflow")) == ""
    assert signature_note(found) == "2 inputs, 1 output · 1 example row"
    assert signature_note(version(signature={"inputs": [age], "outputs": []})).endswith("0 outputs")


def test_each_output_is_shown_with_its_own_part_of_the_example() -> None:
    outputs = [{"name": "label", "type": "long"}, {"name": "p", "type": "double", "shape": [9]}]
    found = version(signature={"inputs": [], "outputs": outputs}, expected=[{"label": 2}])
    assert [c.example for c in columns(found)[1]] == [2, ""]
    assert response(with_format(found, "onnx")) == '{"prediction": {"label": 2}}'


def test_a_response_is_made_up_only_where_none_is_expected() -> None:
    label = {"name": "label", "type": "long"}
    outputs = [label, {"name": "p", "type": "double", "shape": [9]}]
    found = with_format(version(signature={"inputs": [], "outputs": outputs}), "onnx")
    assert response(found) == '{"prediction": {"label": 1, "p": [0.5, …]}}'
    found.expected = [{"label": 2, "p": [0.1] * 9}]
    assert response(found).startswith('{"prediction": {"label": 2, "p": [0.1, 0.1')
    found.signature = {"inputs": [], "outputs": [label]}
    found.expected = [{"label": 2}]
    assert response(found) == '{"prediction": 2}'
    found.expected = ["long " * 1000]
    assert len(response(found)) == 500


def test_a_version_waits_for_the_first_thing_that_is_missing() -> None:
    rows = steps([True, True, False, False, False], None)
    assert [row.state for row in rows] == ["passed", "passed", "waiting", "", ""]
    assert [row.hint for row in rows if row.hint] == ["Report metrics as evidence."]


def test_what_is_left_leads_to_where_it_is_done() -> None:
    ways = Ways(draft="/draft/")
    assert steps([False, False, False, False, False], None, ways=ways)[0].url == "/draft/#files"
    assert steps([True, True, False, False, False], None, ways=ways)[2].url == "/draft/#metrics"
    frozen = Ways(dialog="report-metrics")
    assert steps([True, True, False, False, False], None, ways=frozen)[2].dialog == "report-metrics"


@pytest.mark.parametrize(
    ("state", "hint"),
    [
        ("failed", "The last build failed: see why."),
        ("queued", "A build waits for a worker: see it."),
        ("running", "It is being built: watch it."),
    ],
)
def test_a_build_that_was_tried_leads_to_its_log(state: str, hint: str) -> None:
    build: Any = SimpleNamespace(state=state, pk="bld_1")
    row = steps([True, True, True, False, False], build)[3]
    assert (row.hint, row.url) == (hint, "/builds/bld_1/")


def test_a_build_whose_smoke_test_differs_is_no_step_that_is_done() -> None:
    why = Link("The smoke test differs: see why.", "/builds/bld_1/")
    row = steps([True, True, True, True, False], None, why)[3]
    assert (row.state, row.hint, row.url) == ("failed", why.text, why.url)


def test_a_tag_without_a_value_is_a_name() -> None:
    assert (pair("team", "risk"), pair("kept", "")) == ("team: risk", "kept")
