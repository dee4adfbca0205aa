"""What each model format may hold, as the scanner reads it: nothing is imported."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest

from tests.support.models import forest, lightgbm_model, skops_model, xgboost_model
from tests.support.scanning import scan_bytes, scan_folder
from workers.builder.scanning.__main__ import main
from workers.builder.scanning.files import Report, Scanner
from workers.builder.scanning.skops import ADVICE, trusted

NOWHERE = Path("/nonexistent")
TRUSTED = frozenset().union(*trusted().values())


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip of ``members``."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def node(full: str, loader: str = "ObjectNode", **more: Any) -> dict[str, Any]:
    """Return one node of a skops schema."""
    module, _, kind = full.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **more}


def skops_report(schema: Any) -> Report:
    """Scan a skops file with this schema."""
    raw = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    return scan_bytes("model.skops", zipped({"schema.json": raw}), NOWHERE)


def test_a_real_pipeline_is_safe_and_its_types_are_what_skops_looks_up() -> None:
    data = skops_model().files["model.skops"]
    report = scan_bytes("model.skops", data, NOWHERE)
    assert report.verdict() == "safe"
    assert {
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.StandardScaler",
    } < report.types
    assert report.types <= TRUSTED


def test_the_nodes_of_trees_are_named_because_skops_does_not_trust_them() -> None:
    import skops.io
    from sklearn.datasets import load_iris

    data = skops.io.dumps(forest(*load_iris(return_X_y=True)))
    report = scan_bytes("model.skops", data, NOWHERE)
    assert report.verdict() == "code-carrying"
    named = [what for _, verdict, what in report.findings if what and verdict == "code-carrying"]
    assert "is made of sklearn.tree._tree.Tree, by TreeNode" in named
    assert ADVICE in named
    assert skops.io.get_untrusted_types(data=data) == ["sklearn.tree._tree.Tree"]


@pytest.mark.parametrize(
    ("schema", "verdict", "what"),
    [
        (node("sklearn.svm._classes.LinearSVC"), "safe", ""),
        (node("sklearn.svm._classes.SVC"), "code-carrying", "is made of sklearn.svm._classes.SVC"),
        (node("acme.features.Encoder"), "code-carrying", "calls for acme.features.Encoder"),
        (node("sklearn.made_up.Thing"), "code-carrying", "is made of sklearn.made_up.Thing"),
        (node("os.system", "FunctionNode"), "malicious", "asks for os.system"),
        (node("builtins.eval", "TypeNode"), "malicious", "asks for builtins.eval"),
        (node("operator.attrgetter", "OperatorFuncNode"), "malicious", "operator.attrgetter"),
        (
            node("sklearn.svm._classes.LinearSVC", "MethodNode", content={"func": "__reduce__"}),
            "malicious",
            "asks for sklearn.svm._classes.LinearSVC.__reduce__",
        ),
        (node("builtins.list", "TreeNode"), "code-carrying", "builtins.list, by TreeNode"),
        (node("numpy.dtype", "LossNode"), "code-carrying", "numpy.dtype, by LossNode"),
        (
            node("builtins.list", "ListNode", content=[node("posix.system", "FunctionNode")]),
            "malicious",
            "asks for posix.system",
        ),
        (
            node("numpy.random._generator.Generator", "RandomGeneratorNode"),
            "code-carrying",
            "by RandomGeneratorNode",
        ),
        (node("builtins.int", "OurOwnNode"), "unknown", "which is not known"),
        ({"__class__": "SVC", "__loader__": "ObjectNode"}, "unknown", "lacks module"),
        ({"content": []}, "unknown", "has no root"),
        (b"{", "unknown", "is not JSON"),
        (b"[" * 100_000, "unknown", "is nested too deeply"),
    ],
)
def test_a_schema_is_read_for_every_name_it_calls(schema: Any, verdict: str, what: str) -> None:
    report = skops_report(schema)
    assert report.verdict() == verdict
    assert not what or any(what in found for _, _, found in report.findings)
    if verdict in {"malicious", "unknown"}:
        assert report.types <= TRUSTED, "what is hostile is never handed on to be loaded"


def test_a_skops_file_needs_every_array_that_its_schema_names() -> None:
    array = json.dumps(node("numpy.ndarray", "NdArrayNode", type="numpy", file="1.npy")).encode()
    lacking = scan_bytes("model.skops", zipped({"schema.json": array}), NOWHERE)
    assert lacking.verdict() == "unknown"
    assert "lacks 1.npy" in lacking.findings[0][2]
    file = io.BytesIO()
    numpy.save(file, numpy.zeros(2))
    whole = zipped({"schema.json": array, "1.npy": file.getvalue()})
    assert scan_bytes("model.skops", whole, NOWHERE).verdict() == "safe"


def test_an_onnx_file_is_safe_only_when_its_graph_holds() -> None:
    for graph in (b"", b"\x12\x01g", b"\x0a\x03\x0a\x01x\x12\x01g"):
        data = b"\x08\x09\x3a" + bytes([len(graph)]) + graph
        report = scan_bytes("model.onnx", data, NOWHERE)
        assert report.verdict() == "unknown"
        assert "is called ONNX, but cannot be read as that" in report.findings[0][2]


def test_native_files_of_boosted_trees_are_data() -> None:
    for ending in (".json", ".ubj"):
        ((name, data),) = xgboost_model(ending).files.items()
        assert scan_bytes(name, data, NOWHERE).verdict() == "safe", ending
    ((name, data),) = lightgbm_model().files.items()
    assert scan_bytes(name, data, NOWHERE).verdict() == "safe"


def test_native_files_of_boosted_trees_are_data_by_the_endings_that_mlflow_gives_them() -> None:
    ((_, trees),) = xgboost_model(".ubj").files.items()
    ((_, text),) = xgboost_model(".json").files.items()
    ((_, lines),) = lightgbm_model().files.items()
    for name, data in (("model.xgb", trees), ("model.xgb", text), ("model.lgb", lines)):
        assert scan_bytes(name, data, NOWHERE).verdict() == "safe"
        assert scan_bytes(name, data[: len(data) // 2], NOWHERE).verdict() == "unknown"
        assert scan_bytes(name, b"hello", NOWHERE).verdict() == "unknown"


def test_ubjson_that_is_cut_off_or_holds_something_behind_is_not_safe() -> None:
    ((name, data),) = xgboost_model(".ubj").files.items()
    for broken in (data[:-1], data[: len(data) // 2], data + b"x", b"{" * 100, b"[]", b"{U"):
        report = scan_bytes(name, broken, NOWHERE)
        assert report.verdict() == "unknown"
        assert "is a broken model of XGBoost" in report.findings[0][2]
    negative = b"{L" + (2**64 - 1).to_bytes(8, "big") + b"}"
    assert scan_bytes(name, negative, NOWHERE).verdict() == "unknown"


def flavored(flavor: str, data: str, pyfunc: str = "") -> Report:
    """Scan the MLmodel of a folder whose flavor names a file."""
    lines = [f"  {flavor}: {{data: {data}}}"]
    if pyfunc:
        lines.append(f"  python_function: {{loader_module: mlflow.{flavor}, data: {pyfunc}}}")
    return scan_bytes("MLmodel", "\n".join(["flavors:", *lines, ""]).encode(), NOWHERE)


@pytest.mark.parametrize(
    ("flavor", "good", "bad"),
    [
        (
            "xgboost",
            ("model.json", "model.ubj", "a/m.UBJ", "m.xgb"),
            ("model.txt", "model.safetensors", "model", "a.parquet", ".json", "m.json/x"),
        ),
        ("onnx", ("model.onnx",), ("model.txt", "model.safetensors", "a.png", "model.json")),
        (
            "lightgbm",
            ("model.lgb", "model.txt", "model.pkl", "model.skops"),
            ("README.md", "a.tar", "model.json", "data"),
        ),
        ("catboost", (), ("model.cbm", "model.json", "model.txt")),
    ],
)
def test_a_flavor_of_mlflow_names_what_is_read_here_as_its_library_reads_it(
    flavor: str, good: tuple[str, ...], bad: tuple[str, ...]
) -> None:
    for data in good:
        assert flavored(flavor, data, data).verdict() == "safe", data
    for data in bad:
        for report in (flavored(flavor, data), flavored(flavor, (*good, data)[0], data)):
            ((_, verdict, what),) = report.findings
            assert (verdict, report.verdict()) == ("unknown", "unknown")
            assert f" read {data}, whose " in what


SKLEARN = "python_function: {{loader_module: mlflow.sklearn, model_path: m{0}}}, sklearn: "
SKLEARN += "{{pickled_model: m, serialization_format: {1}}}"


@pytest.mark.parametrize(
    ("flavors", "expected"),
    [
        (SKLEARN.format("", "pickle"), "code-carrying"),
        (SKLEARN.format("", "cloudpickle"), "code-carrying"),
        (SKLEARN.format("", "skops"), "safe"),
        # There it finds no settings, and takes the file for a pickle.
        (SKLEARN.format(", data: a", "skops"), "code-carrying"),
        ("python_function: {loader_module: mlflow.sklearn, model_path: m}", "code-carrying"),
        ("python_function: {loader_module: mlflow.sklearn}, sklearn: null", "code-carrying"),
        ("python_function: {loader_module: mlflow.pyfunc.model, python_model: m}", "code-carrying"),
        ("sklearn: {pickled_model: m}", "code-carrying"),
        ("pmdarima: {data: m}", "code-carrying"),
        *(
            (f"python_function: {{loader_module: mlflow.{name}, data: m}}", "code-carrying")
            for name in ("statsmodels", "pytorch")
        ),
        ("lightgbm: {data: m.pkl, model_class: lightgbm.sklearn.LGBMModel}", "code-carrying"),
        (
            "lightgbm: {data: m.skops, model_class: lightgbm.sklearn.LGBMModel,"
            " serialization_format: skops}",
            "safe",
        ),
        ("lightgbm: {data: m.txt, model_class: lightgbm.basic.Booster}", "safe"),
        ("lightgbm: {data: m.txt}", "safe"),
        ("python_function: {loader_module: mlflow.xgboost, data: m.json}", "safe"),
        ("onnx: {data: m.onnx}", "safe"),
    ],
)
def test_a_flavor_of_mlflow_that_unpickles_does_so_whatever_the_file_looks_like(
    flavors: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "MLmodel").write_text(f"flavors: {{{flavors}}}\n")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "notes.txt").write_text("a text, as far as the scanner can see\n")
    scanner = Scanner(tmp_path)
    scanner.scan_files()
    assert scanner.report.verdict() == expected


def test_a_parquet_file_may_not_name_a_type_that_pyarrow_unpickled() -> None:
    import pyarrow
    from pyarrow import parquet

    for length in range(4):  # what stands before base64 may look like a part of it
        for kind, verdict in ((b"arrow.json", "safe"), (b"arrow.py_extension_type", "unknown")):
            more = {b"ARROW:extension:name": kind, b"ARROW:extension:metadata": b"\x80\x04N."}
            field = pyarrow.field("a" * length, pyarrow.int64(), metadata=more)
            schema = pyarrow.schema([field], metadata={b"k": b"v" * length})
            file = io.BytesIO()
            parquet.write_table(pyarrow.table([pyarrow.array([1])], schema=schema), file)
            for name, start in (("a.parquet", b"PAR1"), ("a.png", b"PAR1"), ("a.gif", b"GIF89a")):
                data = start + file.getvalue()[len(start) :]
                report = scan_bytes(name, data, NOWHERE)
                assert report.verdict() == verdict
    assert "pyarrow before 14.0.1 unpickles" in report.findings[0][2]
    assert data.startswith(b"GIF")
    assert parquet.read_metadata(io.BytesIO(data)).num_rows == 1


def with_weights(name: str) -> bytes:
    """Return an ONNX model whose weights lie in a file of this name."""
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=1)
    tensor.external_data.add(key="location", value=name)
    out = onnx.helper.make_tensor_value_info("w", 1, [1])
    graph = onnx.helper.make_graph([], "g", [], [out], initializer=[tensor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    return bytes(model.SerializeToString())


OTHERS = [b"CBM1", b"GGUF", b"\x1c\0\0\0TFL3", b"\x08\0\0\0ORTM", b"binf"]


@pytest.mark.parametrize(
    ("name", "start", "expected"),
    [
        *(
            (name, b"\1\2\3\4", "safe")
            for name in (
                "self_attn.in_proj_weight",
                "bn1.running_mean",
                "LayerNorm.gamma",
                "layers.0.A_log",
                "lstm.weight_ih_l0",
                "model.onnx_data",
                "model.onnx_data_1",
            )
        ),
        # What a loader takes them for by its name is not followed here.
        *(("weights.bin", start, "unknown") for start in OTHERS),
        *((name, b"\1\2\3\4", "unknown") for name in ("a.so", "a.pb", "a.pl", "a.dll", "a.pkl")),
        ("run_it.bin", b"#!/bin/sh\n", "unknown"),
        ("a.in_proj_weight", b"N.", "code-carrying"),
    ],
)
def test_weights_may_be_called_like_a_parameter_and_are_of_no_other_format(
    name: str, start: bytes, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_bytes(with_weights(name))
    (tmp_path / name).write_bytes(start[:4] if expected == "safe" else start)
    scanner = Scanner(tmp_path)
    scanner.scan_files()
    assert scanner.report.verdict() == expected, scanner.report.findings


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [(b"\x93\0\0\0", "safe"), (b"NN\x93\0", "safe"), (b"cos\nsystem\n", "malicious")],
)
def test_weights_that_begin_like_a_name_from_the_stack_are_numbers(
    numbers: bytes, expected: str, tmp_path: Path
) -> None:
    """picklescan says of the first that it cannot be read, and of the second that it is hostile."""
    folder, answer = tmp_path / "artifact", tmp_path / "answer.json"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(with_weights("weights.bin"))
    (folder / "weights.bin").write_bytes(numbers)
    main(folder, answer)
    assert json.loads(answer.read_bytes())["verdict"] == expected


def test_what_a_model_calls_its_weights_is_a_file_and_no_member_of_one(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(with_weights("a.zip!weights.bin"))
    (tmp_path / "a.zip!weights.bin").write_bytes(bytes(4))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("weights.bin", bytes(4))
    scanner = Scanner(tmp_path)
    scanner.scan_files()
    found = {path: what for path, _, what in scanner.report.findings}
    assert scanner.report.verdict() == "unknown"
    assert found["a.zip!weights.bin"] == "is of no known format"


@pytest.mark.parametrize("name", ["MLmodel", "MLMODEL", "mlmodel", "Mlproject", "README", "Readme"])
def test_weights_are_not_called_as_another_reader_calls_its_own_on_a_disk_of_one_case(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_bytes(with_weights(name))
    (tmp_path / name).write_bytes(b"a: !x y\nflavors: {x: {loader_module: own}}\n\xff")
    assert scan_folder(tmp_path).verdict() in {"unknown", "code-carrying"}
