"""Sizes in an ONNX model: they come from shapes and constants, and never from what a row says."""

from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest

from tests.support.protobuf import eight, four, number, text
from tests.support.spending import spent
from workers.builder.scanning.files import Scanner
from workers.builder.scanning.onnx_sizes import of_rows

NODE = onnx.helper.make_node
# The first number of a row as a size.
READ = (NODE("Cast", ["x"], ["i"], to=7), NODE("Reshape", ["i", "minus_one"], ["s"]))
NUMBERS = {"minus_one": [-1], "zero": [0], "one": [1], "axis": [1], "nothing": []}


def model(*nodes: Any, **more: Any) -> Any:
    """Return a model of these nodes, with a few numbers of its own."""
    given = onnx.helper.make_tensor_value_info("x", 1, [None, 1])
    out = onnx.helper.make_tensor_value_info("y", 1, [None])
    held = [onnx.numpy_helper.from_array(numpy.array(v, "i8"), k) for k, v in NUMBERS.items()]
    held.append(onnx.numpy_helper.from_array(numpy.ones(1, "f4"), "w"))
    inputs = [given, *more.pop("inputs", ())]
    graph = onnx.helper.make_graph(list(nodes), "g", inputs, [out], initializer=held)
    opsets = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opsets, **more)


def told(*nodes: Any, **more: Any) -> list[str]:
    return of_rows(model(*nodes, **more).SerializeToString())


def branched(condition: str, *inner: Any, output: str = "b") -> Any:
    out = onnx.helper.make_tensor_value_info(output, 1, None)
    graph = onnx.helper.make_graph(list(inner), "b", [], [out])
    return NODE("If", [condition], ["y"], then_branch=graph, else_branch=graph)


SIZED = [
    NODE("ConstantOfShape", ["s"], ["y"]),
    NODE("Expand", ["w", "s"], ["y"]),
    NODE("Pad", ["w", "s"], ["y"]),
    NODE("Range", ["zero", "s", "one"], ["y"]),
    NODE("Range", ["s", "zero", "one"], ["y"]),
    NODE("Range", ["zero", "one", "s"], ["y"]),
    NODE("Reshape", ["nothing", "s"], ["y"]),
    NODE("Tile", ["w", "s"], ["y"]),
    NODE("NonZero", ["s"], ["y"]),
    NODE("Pad", ["w", "one", "", "s"], ["y"]),
    NODE("Slice", ["w", "zero", "s"], ["y"]),
    NODE("Split", ["w", "s"], ["y"]),
    NODE("Squeeze", ["w", "s"], ["y"]),
    NODE("TopK", ["w", "s"], ["y", "places"]),
    NODE("Unsqueeze", ["w", "s"], ["y"]),
    NODE("ReduceSum", ["w", "s"], ["y"]),
    NODE("ReduceLogSumExp", ["w", "s"], ["y"]),
]


@pytest.mark.parametrize("one", SIZED, ids=lambda one: f"{one.op_type} {one.input}")
def test_a_size_from_the_values_of_a_row_is_told_wherever_it_stands(one: Any) -> None:
    inner = onnx.NodeProto.FromString(one.SerializeToString())
    inner.output[0] = "b"
    assert told(*READ, one) == [one.op_type]
    assert told(one, *reversed(READ)) == [one.op_type]
    assert told(*READ, branched("c", inner)) == [one.op_type]
    assert told(branched("c", *READ, inner)) == [one.op_type]
    assert told(branched("c", branched("d", *READ, one), output="y")) == [one.op_type]


@pytest.mark.parametrize("one", SIZED, ids=lambda one: f"{one.op_type} {one.input}")
def test_what_a_function_is_called_with_counts_as_a_row(one: Any) -> None:
    opset = onnx.helper.make_opsetid("", 17)
    inside = onnx.helper.make_function("own", "Own", ["s"], ["y"], [one], [opset])
    assert told(NODE("Neg", ["x"], ["y"]), functions=[inside]) == [one.op_type]


@pytest.mark.parametrize(
    "before",
    [
        (NODE("Concat", ["s", "zero"], ["t"], axis=0),),
        (NODE("Add", ["one", "s"], ["t"]),),
        (NODE("Split", ["s"], ["other", "t"]),),
        (NODE("Shape", ["x"], ["a"]), NODE("Gather", ["a", "s"], ["t"])),
    ],
)
def test_a_size_is_followed_through_other_operators(before: tuple[Any, ...]) -> None:
    assert told(*READ, *before, NODE("Expand", ["w", "t"], ["y"])) == ["Expand"]


def test_a_size_out_of_a_branch_is_told() -> None:
    size = NODE("Add", ["s", "one"], ["b"])
    assert told(*READ, branched("one", size), NODE("Expand", ["w", "y"], ["z"])) == ["Expand"]
    assert told(*READ, branched("one", output="s"), NODE("Tile", ["w", "y"], ["z"])) == ["Tile"]
    constant = NODE("Constant", [], ["b"], value_ints=[3])
    assert told(*READ, branched("one", constant), NODE("Tile", ["w", "y"], ["z"])) == []


@pytest.mark.parametrize("source", ["Shape", "Size"])
def test_sizes_from_the_shape_of_an_input_are_not(source: str) -> None:
    """As exporters write them: the length of what was sent, and constants beside it."""
    chain = (
        NODE(source, ["x"], ["shape"]),
        NODE("Gather", ["shape", "zero"], ["rows"]),
        NODE("Concat", ["rows", "one"], ["t"], axis=0),
        NODE("ConstantOfShape", ["t"], ["filled"]),
        NODE("Expand", ["x", "t"], ["wide"]),
        NODE("Reshape", ["x", "t"], ["again"]),
        NODE("Tile", ["x", "t"], ["tiled"]),
        NODE("Range", ["zero", "rows", "one"], ["count"]),
        NODE("Pad", ["x", "t", "s"], ["y"]),
    )
    assert told(*READ, *chain) == []
    assert told(*READ, branched("one", *chain, output="y")) == []


def test_a_row_that_chooses_a_branch_is_told() -> None:
    assert told(*READ, branched("s", NODE("ConstantOfShape", ["one"], ["b"]))) == ["If"]


def test_constants_that_older_files_name_among_their_inputs_are_no_rows() -> None:
    also = onnx.helper.make_tensor_value_info("one", 7, [1])
    widened = NODE("Expand", ["x", "one"], ["y"])
    assert told(widened, inputs=[also], ir_version=3) == []
    other = onnx.helper.make_tensor_value_info("other", 7, [1])
    widened = NODE("Expand", ["x", "other"], ["y"])
    assert told(widened, inputs=[also, other], ir_version=3) == ["Expand"]


def test_those_of_newer_files_are_what_the_caller_says_they_are() -> None:
    """MLflow gives a model every column of a row, also one that replaces a constant."""
    also = onnx.helper.make_tensor_value_info("one", 7, [1])
    widened = NODE("Expand", ["x", "one"], ["y"])
    assert told(widened, inputs=[also], ir_version=4) == ["Expand"]
    twice = model(widened, inputs=[also], ir_version=3).SerializeToString() + number(1, 4)
    assert of_rows(twice) == ["Expand"]
    unsaid = model(widened, inputs=[also])
    unsaid.ClearField("ir_version")
    assert of_rows(unsaid.SerializeToString()) == ["Expand"]


@pytest.mark.parametrize("between", [four(1, b"none"), eight(1, bytes(8)), four(2, b"s\0\0\0")])
def test_what_protobuf_drops_shifts_no_input(between: bytes) -> None:
    names = [text(1, b"w"), between, text(1, b"s"), text(2, b"y"), text(4, b"Expand")]
    assert of_rows(with_node(b"".join(names))) == ["Expand"]


def test_what_protobuf_drops_makes_no_constant_of_a_row() -> None:
    hidden = eight(5, text(8, b"x") + number(2, 2**21))  # like a tensor that is called x
    widened = NODE("Expand", ["w", "s"], ["y"]).SerializeToString()
    assert of_rows(with_node(widened, hidden, ir_version=3)) == ["Expand"]


def with_node(node: bytes, *more: bytes, **about: Any) -> bytes:
    """Return a model whose last node is written byte by byte, as nothing but a thief writes one."""
    made = model(*READ, **about)
    graph = made.graph.SerializeToString() + text(1, node) + b"".join(more)
    made.ClearField("graph")
    return bytes(made.SerializeToString() + text(7, graph))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            NODE("RNN", ["x", "w", "w"], ["", "h"]),
            NODE("Slice", ["h", "one", "one", "", "one"], ["y"]),
        ),
        (NODE("TopK", ["x", "one"], ["", "h"]), NODE("Pad", ["h", "one", "", ""], ["y"])),
        (NODE("TopK", ["x", "one"], ["", "h"]), NODE("ReduceSum", ["h", ""], ["y"])),
    ],
)
def test_an_answer_that_nobody_takes_is_no_size_of_another(before: Any, after: Any) -> None:
    assert told(before, after) == []


def test_a_branch_may_answer_a_shape() -> None:
    shape = NODE("Shape", ["x"], ["b"])
    assert told(branched("one", shape), NODE("Expand", ["x", "y"], ["z"])) == []


def test_many_names_of_one_node_are_gone_through_once() -> None:
    many = [f"n{place}" for place in range(8_000)]
    crowd = [NODE("Identity", ["x"], [name]) for name in many]
    joined = model(*crowd, NODE("Concat", many, [f"o{name}" for name in many], axis=0))
    seconds, found = spent(lambda: of_rows(joined.SerializeToString()), enough=2)
    assert found == []
    assert seconds < 2


def test_the_shape_of_nothing_does_not_make_a_bounded_size_of_a_row(tmp_path: Path) -> None:
    """ONNX Runtime makes a tensor of 2^40 rows without columns, and answers its shape."""
    made = model(
        *READ,
        NODE("Concat", ["s", "zero"], ["t"], axis=0),
        NODE("Reshape", ["nothing", "t"], ["e"]),
        NODE("Shape", ["e"], ["u"]),
        NODE("ConstantOfShape", ["u"], ["y"]),
    )
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    scanner = Scanner(tmp_path)
    scanner.scan_files()
    assert scanner.report.verdict() == "code-carrying"
    why = scanner.report.gravest_first()[0][2]
    assert "has operators (Reshape)" in why
    assert why.endswith(
        "take them from shapes, or constants that are no inputs, or allow code-carrying"
    )
