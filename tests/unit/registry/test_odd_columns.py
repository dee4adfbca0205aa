"""What no author may say of a column is taken from no file either, whatever its format."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from apps.registry import formats
from apps.registry.formats import Files
from placet.kernel.api.parsers import strict_loads
from tests.unit.registry.test_formats import columns, mlflow_folder
from tests.unit.registry.test_tree_formats import files_of, xgboost_text


def xgboost(*names: str) -> Files:
    return files_of({"m.json": xgboost_text(feature_names=list(names))})


def lightgbm(*names: str) -> Files:
    said = (len(names) - 1, " ".join(names).encode("utf-8", "surrogatepass"))
    return files_of({"m.txt": b"tree\nversion=v4\nmax_feature_idx=%d\nfeature_names=%b\n\n" % said})


def onnx(*names: str) -> Files:
    """A graph with an input of each name, as protobuf lays it out."""
    kind = field(2, field(1, b"\x08\x01"))
    inputs = b"".join(
        field(11, field(1, name.encode("utf-8", "surrogatepass")) + kind) for name in names
    )
    return files_of({"m.onnx": b"\x08\x09" + field(7, inputs + field(12, field(1, b"y") + kind))})


def field(number: int, content: bytes) -> bytes:
    size = bytearray()
    left = len(content)
    while left > 0x7F:
        size.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([number << 3 | 2, *size, left]) + content


def mlflow(*names: str) -> Files:
    return mlflow_folder(columns(*({"name": name, "type": "double"} for name in names)))


WRITERS: dict[str, Callable[..., Files]] = {
    "xgboost": xgboost,
    "lightgbm": lightgbm,
    "onnx": onnx,
    "mlflow": mlflow,
}
ODD = {
    "NUL": "a\x00",
    "half a surrogate pair": "\ud800",
    "a bell": "a\x07",
    "empty": "",
    "long": "a" * 3000,
    "hidden": "a\u202eb",
    "a template": "{{a}}",
    "twice": "b",
}
TOLD = {  # where a format reads such a name as another, that can be used
    ("lightgbm", "half a surrogate pair"): "\ufffd\ufffd\ufffd",
    ("mlflow", "empty"): "input_1",
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", WRITERS)
def test_an_odd_name_of_a_column_leaves_the_signature_to_its_author(name: str, odd: str) -> None:
    files = WRITERS[name]("b", ODD[odd], "c")
    try:
        found = formats.derive(formats.detect(files), files)
    except formats.FormatUnknown as refused:
        assert (name, odd) == ("onnx", "half a surrogate pair"), "its texts are UTF-8"
        assert "its bytes are no ModelProto" in refused.errors[0].detail
        return
    if told := TOLD.get((name, odd)):
        assert found.signature is not None
        assert [c["name"] for c in found.signature["inputs"]] == ["b", told, "c"]
        return
    assert (found.signature, found.example) == (None, None)
    [fault] = found.faults
    (path,) = files.sizes
    assert fault.pointer == "/signature"
    assert fault.detail.startswith(f"{path}: the name of column 2 of its inputs, '")
    assert "give the signature yourself" in fault.detail
    assert len(fault.detail) < 250
    assert strict_loads(json.dumps(fault.detail).encode()) == fault.detail


@pytest.mark.parametrize("name", WRITERS)
def test_what_an_author_may_say_is_taken(name: str) -> None:
    files = WRITERS[name]("b", "größe_(cm)")
    found = formats.derive(name, files)
    assert found.signature is not None
    assert [c["name"] for c in found.signature["inputs"]] == ["b", "größe_(cm)"]


def test_a_file_may_tell_more_columns_than_an_author() -> None:
    found = formats.derive("lightgbm", lightgbm(*(f"a{number}" for number in range(10_000))))
    assert found.signature is not None
    assert len(found.signature["inputs"]) == 10_000


@pytest.mark.parametrize("kind", [[], {}, "\ud800", "x" * 5000, None])
def test_a_type_that_is_none_is_named_in_short(kind: Any) -> None:
    found = formats.derive("mlflow", mlflow_folder(columns({"name": "a", "type": kind})))
    [fault] = found.faults
    assert "which cannot be served" in fault.detail
    assert len(fault.detail) < 250
    assert strict_loads(json.dumps(fault.detail).encode()) == fault.detail


@pytest.mark.parametrize("text", ["a\x00", "\ud800"])
def test_an_example_that_no_row_can_hold_is_left_out(text: str) -> None:
    signature = columns({"name": "a", "type": "string"})
    raw = json.dumps([{"a": text}]).encode()
    found = formats.derive("mlflow", mlflow_folder(signature, input_example_json=raw))
    assert found.signature is not None
    assert found.example is None


def test_a_shape_that_no_author_may_give_is_not_taken() -> None:
    lengths = b"".join(field(1, b"\x08" + b"\xff" * 8 + b"\x7f") for _ in range(2))
    kind = field(2, field(1, b"\x08\x01" + field(2, lengths)))
    graph = field(11, field(1, b"x") + kind) + field(12, field(1, b"y") + kind)
    found = formats.derive("onnx", files_of({"m.onnx": b"\x08\x09" + field(7, graph)}))
    assert found.signature is None
    assert found.faults[0].detail.startswith("m.onnx: the shape of column 1 of its inputs, 'x':")
