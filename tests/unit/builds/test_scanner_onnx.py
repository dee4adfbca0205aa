"""Where the weights of an ONNX model may lie, and what ONNX Runtime makes of other places."""

from pathlib import Path
from typing import Any

import onnx
import pytest

from workers.builder.scanning.files import Scanner

MARKS = ("*/_ORT_MEM_ADDR_/*", "*/_ORT_NATIVE_ENDIAN_MEM_ADDR_/*", "_ORT_MEM_ADDR_")


def model(entries: list[tuple[str, str]], where: str = "initializer") -> Any:
    """Return a model one of whose tensors has these entries about its place."""
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=1)
    for key, value in entries:
        tensor.external_data.add(key=key, value=value)
    out = onnx.helper.make_tensor_value_info("w", 1, [1])
    nodes, held = [], [tensor]
    if where == "attribute":
        nodes, held = [onnx.helper.make_node("Constant", [], ["w"], value=tensor)], []
    graph = onnx.helper.make_graph(nodes, "g", [], [out], initializer=held)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])


def verdict(folder: Path, made: Any, **files: bytes) -> tuple[str, str]:
    """Scan a model and what lies beside it; return the verdict and what is told first."""
    (folder / "model.onnx").write_bytes(made.SerializeToString())
    for name, data in files.items():
        (folder / name).write_bytes(data)
    scanner = Scanner(folder)
    scanner.scan_files()
    return scanner.report.verdict(), (scanner.report.gravest_first() or [("", "", "")])[0][2]


@pytest.mark.parametrize("where", ["initializer", "attribute"])
@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_that_onnx_runtime_takes_for_an_address_is_not_safe(
    mark: str, where: str, tmp_path: Path
) -> None:
    """A file may be called so: ONNX, which knows no marks, finds its weights in it."""
    beside = tmp_path / mark
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_bytes(bytes(4))
    made = model([("location", mark), ("offset", "0"), ("length", "4")], where)
    said, why = verdict(tmp_path, made)
    assert said == "malicious"
    assert "an address of memory" in why


@pytest.mark.parametrize(
    "location",
    ["../w.bin", "/w.bin", "..\\w.bin", "C:\\w.bin", "file:///w.bin", "", "a/../../w.bin"],
)
def test_weights_outside_of_the_folder_are_not_safe(location: str, tmp_path: Path) -> None:
    said, why = verdict(tmp_path, model([("location", location)]))
    assert said == "malicious"
    assert "reads data from" in why


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([("offset", "0"), ("length", "4"), ("checksum", "00")], "safe"),
        ([("basepath", "/srv/models")], "safe"),
        ([("prepacked_0", "key|0;9999;0")], "unknown"),
        ([("location", "b.bin")], "unknown"),
        ([("offset", "4"), ("length", "4")], "unknown"),
        ([("offset", "5")], "unknown"),
        ([("offset", "-4")], "unknown"),
        ([("length", "0x4")], "unknown"),
        ([("offset", "9" * 30)], "unknown"),
    ],
)
def test_a_place_is_told_once_and_by_what_is_known(
    more: list[tuple[str, str]], expected: str, tmp_path: Path
) -> None:
    said, _ = verdict(tmp_path, model([("location", "a.bin"), *more]), **{"a.bin": bytes(4)})
    assert said == expected


@pytest.mark.parametrize("inside", ["the graph", "a branch"])
def test_a_model_that_was_compiled_for_an_accelerator_is_not_read(
    inside: str, tmp_path: Path
) -> None:
    """Its bytes are a program, or lie where the node says."""
    node = onnx.helper.make_node("EPContext", [], ["w"], domain="com.microsoft", embed_mode=0)
    node.attribute.append(onnx.helper.make_attribute("ep_cache_context", "../../context.bin"))
    made = model([])
    made.graph.ClearField("initializer")
    if inside == "a branch":
        out = onnx.helper.make_tensor_value_info("w", 1, [1])
        branch = onnx.helper.make_graph([node], "b", [], [out])
        node = onnx.helper.make_node("If", ["c"], ["w"], then_branch=branch, else_branch=branch)
    made.graph.node.append(node)
    said, why = verdict(tmp_path, made)
    assert said == "unknown"
    assert "compiled for an accelerator" in why


def test_a_model_that_onnx_runtime_reads_as_its_own_form_is_not_safe(tmp_path: Path) -> None:
    """It goes by four bytes when it is handed bytes; here they are a producer's name."""
    made = model([])
    made.graph.initializer[0].ClearField("data_location")
    made.graph.initializer[0].raw_data = bytes(4)
    assert verdict(tmp_path, made)[0] == "safe"
    made.ir_version, made.producer_name = 9, "ORTM"
    assert made.SerializeToString()[4:8] == b"ORTM"
    assert verdict(tmp_path, made)[0] == "unknown"
