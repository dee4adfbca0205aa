"""Whatever a web process reads of a model's files takes half a second and 20 MB at most."""

import io
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.registry import formats
from apps.registry.errors import FormatUnknown
from apps.registry.formats import Files, json_stream, onnx, protobuf, xgboost
from placet.kernel.problems import TooLarge
from placet_verify.errors import Malformed
from placet_verify.signing import model_signature
from tests.support.protobuf import text, varint
from tests.support.spending import spent

SECONDS, BYTES = 0.5, 20_000_000
ONNX_START = b"\x08\x09"  # an ir_version
LEARNER = b'{"learner":{"feature_names":["a"],"gradient_booster":'


class OneWay(io.BytesIO):
    """As a bucket gives bytes: forwards alone."""

    def seekable(self) -> bool:
        return False


def files_of(contents: dict[str, bytes], stream: Any = io.BytesIO) -> Files:
    def read(path: str, limit: int) -> bytes:
        if len(contents[path]) > limit:
            raise TooLarge
        return contents[path]

    sizes = {path: len(raw) for path, raw in contents.items()}
    return Files(sizes, read, lambda path: stream(contents[path]))


def bounded(read: Callable[[], Any]) -> Any:
    """Return what ``read`` returns, once its time and its memory are known to be small."""
    took, _ = spent(read, SECONDS)
    tracemalloc.start()
    found = read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (took < SECONDS, peak < BYTES) == (True, True), f"{took:.2f} s, {peak} bytes"
    return found


def tell(name: str, files: Files) -> str:
    """What is said of files: a signature, why there is none, or what is wrong with them."""
    return str(bounded(lambda: _told(name, files)))


def _told(name: str, files: Files) -> str:
    try:
        found = formats.derive(name, files)
    except FormatUnknown as refused:
        return str(refused)
    return found.faults[0].detail if found.faults else str(found.signature)


def test_the_weights_of_an_onnx_model_are_passed_over(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 2]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y])
    head, size = helper.make_model(graph).SerializeToString(), 3 << 30
    weights = varint(9 << 3 | 2) + varint(size)  # raw_data, in a second part of the graph
    tensor = varint(5 << 3 | 2) + varint(size + len(weights)) + weights
    opened = varint(7 << 3 | 2) + varint(size + len(tensor)) + tensor
    path = tmp_path / "m.onnx"
    with path.open("wb") as file:
        file.write(head + opened)
        file.truncate(len(head + opened) + size)
    files = Files({"m.onnx": path.stat().st_size}, lambda *_: b"", lambda _: path.open("rb"))
    found = bounded(lambda: formats.derive("onnx", files)).signature
    assert found == {
        "inputs": [{"name": "x", "type": "float", "shape": [2]}],
        "outputs": [{"name": "y", "type": "float", "shape": [2]}],
    }


GRAPHS = {
    "fields": ONNX_START * (protobuf.MAX_FIELDS + 1),
    "names": ONNX_START + text(7, text(5, text(8, b"name")) * protobuf.MAX_FIELDS),
    "long names": ONNX_START + text(7, text(5, text(8, b"n" * 4000)) * 2000),
    "one long name": ONNX_START + text(7, text(11, text(1, b"n" * (protobuf.MAX_TEXT + 1)))),
    "inputs": ONNX_START + text(7, text(11, b"") * 10_001),
    "dimensions": ONNX_START
    + text(7, text(11, text(2, text(1, text(2, text(1, b"") * (onnx.MAX_RANK + 1)))))),
}


@pytest.mark.parametrize("raw", GRAPHS.values(), ids=GRAPHS.keys())
def test_a_graph_with_more_than_is_read_leaves_the_signature_to_its_author(
    raw: bytes,
) -> None:
    assert "too large to be read here: give the signature yourself" in tell(
        "onnx", files_of({"m.onnx": raw})
    )


def test_a_bucket_is_asked_for_no_more_than_is_passed_over(monkeypatch: Any) -> None:
    value = text(1, b"x") + text(2, text(1, varint(1 << 3) + varint(1)))
    raw = ONNX_START + text(7, text(5, text(9, b"w" * 5000)) + text(11, value) + text(12, value))
    assert "'name': 'x'" in tell("onnx", files_of({"m.onnx": raw}, OneWay))
    monkeypatch.setattr(protobuf, "MAX_STREAMED", 4000)
    assert "too large" in tell("onnx", files_of({"m.onnx": raw}, OneWay))
    assert "'name': 'x'" in tell("onnx", files_of({"m.onnx": raw}))


def drawn(random: random.Random) -> Any:
    """A model with whatever may stand in a graph, and not always in the usual order."""
    import onnx as library

    def value() -> Any:
        name = random.choice(["x", "y", "größe", "w", ""])
        kind, shape = random.randrange(20), random.choice([None, [], [None], ["n", 3], [2, -1, 4]])
        tensor = library.helper.make_tensor_type_proto(kind, shape)
        if random.random() < 0.2:
            tensor = library.helper.make_sequence_type_proto(tensor)
        return library.helper.make_value_info(name, tensor)

    def tensor() -> Any:
        return library.helper.make_tensor(random.choice("wx"), 1, [2], [1.0, 2.0])

    def graph() -> Any:
        some = [[value() for _ in range(random.randrange(4))] for _ in range(2)]
        nodes = [library.helper.make_node("Add", ["x", "w"], ["y"])] * random.randrange(3)
        weights = [tensor() for _ in range(random.randrange(2))]
        return library.helper.make_graph(nodes, "g", *some, weights)

    model = library.helper.make_model(graph())
    whole: bytes = model.SerializeToString()
    if random.random() < 0.3:  # a second part is merged with the first
        whole += text(7, graph().SerializeToString())
    return whole


def by_the_library(raw: bytes) -> tuple[list[Any], list[Any]]:
    import onnx as library

    graph = library.ModelProto.FromString(raw).graph
    constants = {tensor.name for tensor in graph.initializer}

    def column(value: Any) -> Any:
        if value.type.WhichOneof("value") != "tensor_type":
            return None
        tensor = value.type.tensor_type
        shape = [d.dim_value if d.dim_value > 0 else -1 for d in tensor.shape.dim][1:]
        return value.name, tensor.elem_type, shape

    inputs = [column(value) for value in graph.input if value.name not in constants]
    return inputs, [column(value) for value in graph.output]


def test_a_graph_says_here_what_it_says_to_onnx_itself() -> None:
    for seed in range(300):
        raw = drawn(random.Random(seed))
        graph = onnx._Graph("m.onnx")
        graph.model(protobuf.Message(io.BytesIO(raw), len(raw)))

        def column(value: Any) -> Any:
            return (value.name, value.element, value.lengths[1:]) if value.kind == 1 else None

        inputs = [column(value) for value in graph.inputs if value.name not in graph.constants]
        assert (inputs, [column(v) for v in graph.outputs]) == by_the_library(raw), seed


FORESTS = {
    "open brackets": b"[" * 5_000_000,
    "pairs": b"[" + b"[]" * 30_000_000 + b"]}}",
    "deep": b"[" + (b"[" * 60 + b"]" * 60) * 500_000 + b"]}}",
    "escapes": b'["' + b'\\"' * 600_000 + b'"]}}',
    "one text": b'["' + b"a" * 5_000_000 + b'"]}}',
    "names": b'{},"feature_names":[' + b"[]," * 200_000 + b"1]}}",
    "members": b"{}," + b'"a":1,' * (json_stream.MAX_MEMBERS + 1) + b'"b":1}}',
}


@pytest.mark.parametrize("rest", FORESTS.values(), ids=FORESTS.keys())
def test_a_forest_with_more_than_is_read_leaves_the_signature_to_its_author(
    rest: bytes,
) -> None:
    said = tell("xgboost", files_of({"m.json": LEARNER + rest}))
    assert said == "m.json is too large to be read here: give the signature yourself"


def test_the_trees_of_xgboost_are_passed_over() -> None:
    tree = b'{"base_weights":[%b],"categories":[],"a[":"]{","id":0}' % b",".join([b"3.2E-1"] * 99)
    trees = b",\n".join([tree] * 87_000)
    raw = LEARNER + b'{"model":{"trees":[' + trees + b']}},"objective":{"name":"reg:x"}}}\n'
    assert 60 << 20 < len(raw) < xgboost.MAX_JSON
    assert "'name': 'a', 'type': 'float'" in tell("xgboost", files_of({"m.json": raw}))


@pytest.mark.parametrize(
    "rest",
    [
        b"[1,2}}}",
        b'{"a":"b',
        b"{}}",
        b"{}}}}",
        b"{},}}",
        b"{} {}}}",
        b'{"a":[}]}}}',
        b"{}}}\x00",
        b"[" + b"1," * 100_000 + b"}}}",
        b'{"a":"\\',
        b'{},"objective":{1}}}',
    ],
)
def test_a_broken_forest_is_named(rest: bytes) -> None:
    said = tell("xgboost", files_of({"m.json": LEARNER + rest}))
    assert said == "m.json: not valid JSON at line 1: is the upload whole?"


@pytest.mark.parametrize("at", range(-3, 4))
def test_a_text_with_escapes_may_lie_across_pieces(at: int) -> None:
    before = LEARNER + b'{"a":"'
    text = b"x" * (json_stream.PIECE - len(before) + at) + b'\\"]}' + b"\\\\"
    raw = before + text + b'"},"objective":{"name":"reg:\\"x"}}}'
    assert "'name': 'a'" in tell("xgboost", files_of({"m.json": raw}))


def test_the_line_of_a_fault_is_counted_through_what_was_passed_over() -> None:
    raw = LEARNER + b"[" + b"1,\n" * 100_000 + b'1]\n,"objective":}}'
    assert "at line 100002" in tell("xgboost", files_of({"m.json": raw}))


HEADERS = {
    "lines": b"a\n" * 1_000_000 + b"max_feature_idx=0\nfeature_names=a\n\n",
    "features": b"max_feature_idx=10000\nfeature_names=" + b"a " * 10_000 + b"a\n\n",
    "names": b"max_feature_idx=599999\nfeature_names=" + b"ab " * 599_999 + b"a\n\n",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_of_lightgbm_is_never_split_whole(name: str) -> None:
    said = tell("lightgbm", files_of({"m.txt": b"tree\nversion=v4\n" + HEADERS[name]}))
    assert ("{'name': 'a'" if name == "lines" else "more than 10000 features") in said


BUILD = b'[tool.bentoml.build]\nservice = "service:S"\n'
PROJECTS = {
    "a dotted name": ({"pyproject.toml": BUILD + b"a." * 32_000 + b"a = 1\n"}, "20 parts"),
    "quoted": ({"pyproject.toml": BUILD + b"\"a\" . 'b'." * 5_000 + b"a = 1\n"}, "20 parts"),
    "arrays": ({"pyproject.toml": BUILD + b"a = " + b"[" * 30_000}, "recursion"),
    "dependencies": (
        {"pyproject.toml": b"[project]\ndependencies=[" + b'"a",' * 15_000 + b"]\n" + BUILD},
        "at most 300 requirements",
    ),
    "requirements": (
        {
            "bentofile.yaml": b'service: "service:S"\npython:\n  requirements_txt: r.txt\n',
            "r.txt": b"a\n" * 32_000,
        },
        "at most 300 requirements",
    ),
}


@pytest.mark.parametrize(("contents", "why"), PROJECTS.values(), ids=PROJECTS.keys())
def test_a_build_file_costs_no_more_than_its_length(contents: dict[str, bytes], why: str) -> None:
    assert why in tell("bentoml", files_of({**contents, "service.py": b""}))


MLMODEL = b"""\
flavors: {python_function: {loader_module: mlflow.sklearn, python_version: 3.11.2}}
signature:
  inputs: '[{"name": "a", "type": "double"}]'
  outputs: '[{"name": "p", "type": "long"}]'
"""
EXAMPLES = {
    "lists": b"[" + b"[]," * 1_000_000 + b"[]]",
    "objects": b"[" + b'{"a":1},' * 500_000 + b'{"a":1}]',
    "members": b"{" + b",".join(b'"%x":1' % number for number in range(350_000)) + b"}",
}


@pytest.mark.parametrize("raw", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_an_example_that_would_fill_memory_is_left_out(raw: bytes) -> None:
    files = files_of({"MLmodel": MLMODEL, "input_example.json": raw})
    assert bounded(lambda: formats.derive("mlflow", files)).example is None


def test_a_folder_has_no_more_requirements_than_a_version() -> None:
    files = files_of({"MLmodel": MLMODEL, "requirements.txt": b"a\n" * 120_000})
    assert "requirements.txt: it has more than 300 requirements" in tell("mlflow", files)


def test_a_signature_of_a_model_weighs_no_more_than_one_can() -> None:
    document = b"[" + b"[]," * 1_300_000 + b"1]"

    def read() -> None:
        with pytest.raises(Malformed, match="more in it than any signature"):
            model_signature.read(document)

    bounded(read)
