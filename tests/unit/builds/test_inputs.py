"""What a generated service takes and refuses, on the very sources that are put into a Bento."""

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TEMPLATES = Path(__file__).resolve().parents[3] / "workers" / "builder" / "templates"
COLUMNS = [
    {"name": "mean radius", "type": "double"},
    {"name": "a/b~c", "type": "long"},
    {"name": "größe \"x'", "type": "integer"},
    {"name": "kind", "type": "string"},
    {"name": "new", "type": "boolean"},
    {"name": "note", "type": "float", "required": False},
    {"name": "pair", "type": "double", "shape": [2]},
]
ROW = {"mean radius": 1.5, "a/b~c": 2, "größe \"x'": 3, "kind": "a", "new": True, "pair": [1, 2]}


@pytest.fixture(scope="module")
def sources() -> Iterator[dict[str, Any]]:
    """The templates as modules."""
    names = ("placet_inputs", "placet_http", "placet_values", "placet_capture")
    sys.path.insert(0, str(TEMPLATES))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(TEMPLATES))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture
def inputs(sources: dict[str, Any]) -> Any:
    """A reader of the columns above."""
    return sources["placet_inputs"].Inputs(COLUMNS)


def pointers(sources: dict[str, Any], inputs: Any, body: Any) -> list[str]:
    """Return where a body is at fault."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(sources["placet_inputs"].BadInput) as refusal:
        inputs.read(raw)
    assert all(error["detail"] for error in refusal.value.errors)
    return [error["pointer"] for error in refusal.value.errors]


def test_one_bare_row_and_many(inputs: Any) -> None:
    assert inputs.read(json.dumps(ROW).encode()) == ([ROW], True)
    rows, one = inputs.read(json.dumps({"instances": [ROW, {**ROW, "note": 1}]}).encode())
    assert (len(rows), one) == (2, False)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"mean radius": "wide"}, "/instances/1/mean radius"),
        ({"mean radius": "1.5"}, "/instances/1/mean radius"),
        ({"mean radius": None}, "/instances/1/mean radius"),
        ({"mean radius": True}, "/instances/1/mean radius"),
        ({"mean radius": float("nan")}, "/instances/1/mean radius"),
        ({"mean radius": float("inf")}, "/instances/1/mean radius"),
        ({"mean radius": [1.5]}, "/instances/1/mean radius"),
        ({"a/b~c": 1.5}, "/instances/1/a~1b~0c"),
        ({"a/b~c": 2**63}, "/instances/1/a~1b~0c"),
        ({"größe \"x'": 2**31}, "/instances/1/größe \"x'"),
        ({"kind": 1}, "/instances/1/kind"),
        ({"new": 1}, "/instances/1/new"),
        ({"note": 1e39}, "/instances/1/note"),
        ({"pair": [1]}, "/instances/1/pair"),
        ({"pair": [1, "x"]}, "/instances/1/pair/1"),
        ({"extra": 1}, "/instances/1/extra"),
    ],
)
def test_a_bad_value_is_named_by_row_and_column(
    sources: dict[str, Any], inputs: Any, change: dict[str, Any], pointer: str
) -> None:
    assert pointers(sources, inputs, {"instances": [ROW, {**ROW, **change}]}) == [pointer]


def test_a_missing_column_is_named(sources: dict[str, Any], inputs: Any) -> None:
    row = {k: v for k, v in ROW.items() if k != "kind"}
    assert pointers(sources, inputs, row) == ["/kind"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", ""),
        (b"not json", ""),
        (b"\xff\xfe", ""),
        (b"[1]", ""),
        (b"null", ""),
        (b'"text"', ""),
        (b'{"instances": []}', "/instances"),
        (b'{"instances": {}}', "/instances"),
        (b'{"instances": [1]}', "/instances/0"),
        (b'{"instances": [], "more": 1}', "/more"),
        (b"[" * 100_000, ""),
    ],
)
def test_a_body_of_another_form_is_refused(
    sources: dict[str, Any], inputs: Any, body: bytes, pointer: str
) -> None:
    assert pointers(sources, inputs, body)[0] == pointer


def test_many_faults_are_cut_off(sources: dict[str, Any], inputs: Any) -> None:
    assert len(pointers(sources, inputs, {"instances": [{}] * 1000})) == 20


def test_a_column_may_be_called_instances(sources: dict[str, Any]) -> None:
    reader = sources["placet_inputs"].Inputs([{"name": "instances", "type": "double"}])
    assert reader.read(b'{"instances": 2.5}') == ([{"instances": 2.5}], True)
    assert reader.read(b'{"instances": [{"instances": 1}]}')[1] is False


def test_a_whole_number_is_a_double_too(inputs: Any) -> None:
    assert inputs.read(json.dumps({**ROW, "mean radius": 7}).encode())[0][0]["mean radius"] == 7


class Doubler:
    """A model that doubles the first column, or breaks."""

    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        if rows[0]["x"] < 0:
            raise ValueError("a secret of the model")
        return [row["x"] * 2 for row in rows]


def ask(sources: dict[str, Any], path: str, body: bytes, method: str = "POST") -> tuple[int, Any]:
    """Put one request to the ASGI application behind its header middleware."""
    http = sources["placet_http"]
    signature = {"inputs": [{"name": "x", "type": "double"}]}
    nothing = sources["placet_capture"].Capture(signature, lambda record: None)
    app = http.PredictApp({"signature": signature}, nothing)
    app.model = Doubler()
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    gate = http.Gate(app, {"X-Placet-Model": "m:1", "X-Placet-Release": ""})
    scope = {"type": "http", "path": path, "method": method, "headers": []}
    asyncio.run(gate(scope, receive, send))
    names = [name for name, _ in sent[0]["headers"]]
    assert b"x-placet-model" in names
    assert b"x-placet-release" not in names
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_the_answers_of_the_service(sources: dict[str, Any]) -> None:
    assert ask(sources, "/predict", b'{"x": 2}') == (200, {"prediction": 4})
    assert ask(sources, "/predict", b'{"instances": [{"x": 1}, {"x": 2}]}') == (
        200,
        {"predictions": [2, 4]},
    )
    status, problem = ask(sources, "/predict", b'{"x": "2"}')
    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (
        400,
        "invalid_input",
        "/x",
    )
    assert ask(sources, "/predict", b"", "GET")[0] == 405
    assert ask(sources, "/other", b"{}")[0] == 404


def test_a_model_that_breaks_says_nothing_of_why(sources: dict[str, Any]) -> None:
    status, problem = ask(sources, "/predict", b'{"x": -1}')
    assert (status, problem["code"]) == (500, "prediction_failed")
    assert "secret" not in json.dumps(problem)


def test_a_body_that_is_too_large_is_refused(
    sources: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources["placet_http"], "MAX_BODY", 10)
    assert ask(sources, "/predict", b'{"x": 2222222222}')[0] == 413


def test_values_become_json(sources: dict[str, Any]) -> None:
    import numpy

    plain = sources["placet_values"].plain
    assert plain(numpy.array([[1.5, numpy.nan]])) == [[1.5, None]]
    assert plain({1: numpy.int64(3), "b": b"x"}) == {"1": 3, "b": "x"}
    per_row = sources["placet_values"].per_row
    assert per_row({"a": numpy.array([1, 2])}, 2) == [1, 2]
    assert per_row({"a": [1, 2], "b": [3, 4]}, 2) == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]


def test_a_missing_optional_number_is_nan(sources: dict[str, Any]) -> None:
    import numpy

    array = sources["placet_values"].column_array([{"a": 1}, {}], {"name": "a", "type": "long"})
    assert numpy.isnan(array[1])
