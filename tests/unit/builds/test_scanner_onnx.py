"""Where the weights of an ONNX model may lie, and what ONNX Runtime makes of other places."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import onnx
import pytest

from workers.builder.scanning import onnx as scanned
from workers.builder.scanning.files import Scanner
from workers.builder.scanning.onnx import foreign, places
from workers.builder.scanning.onnx_fields import NotRead

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


def test_weights_outside_are_malicious_also_where_a_tree_is_too_large_to_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanned, "foreign", Mock(side_effect=NotRead("too large")))
    said, why = verdict(tmp_path, model([("location", "../w.bin")]))
    assert said == "malicious"
    assert "reads data from" in why


@pytest.mark.parametrize("first", ["!not-there.bin", "a" * 300])
def test_weights_that_are_not_there_do_not_hide_those_outside(tmp_path: Path, first: str) -> None:
    one = model([("location", first)])
    other = one.graph.initializer.add()
    other.CopyFrom(one.graph.initializer[0])
    other.name, other.external_data[0].value = "other", "b/../../w.bin"
    said, why = verdict(tmp_path, one)
    assert said == "malicious"
    assert "reads data from 'b/../../w.bin'" in why


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


def operators(*nodes: Any, domains: tuple[str, ...] = ("",), **more: Any) -> Any:
    """Return a model of these nodes that goes by operators of these domains."""
    given = onnx.helper.make_tensor_value_info("x", 1, [1])
    out = onnx.helper.make_tensor_value_info("w", 1, [1])
    yes = onnx.helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True])
    graph = onnx.helper.make_graph(list(nodes), "g", [given], [out], initializer=[yes])
    versions = {"": 17, "ai.onnx": 17, "ai.onnx.ml": 3}
    opsets = [onnx.helper.make_opsetid(name, versions.get(name, 1)) for name in domains]
    return onnx.helper.make_model(graph, opset_imports=opsets, **more)


def node(kind: str = "Relu", domain: str = "", **more: Any) -> Any:
    """Return a node that makes the model's output of its input."""
    return onnx.helper.make_node(kind, ["x"], ["w"], domain=domain, **more)


def branched(inner: Any) -> Any:
    """Return a node that has another in its branches."""
    out = onnx.helper.make_tensor_value_info("w", 1, [1])
    graph = onnx.helper.make_graph([inner], "b", [], [out])
    return onnx.helper.make_node("If", ["yes"], ["w"], then_branch=graph, else_branch=graph)


def function(domain: str, *nodes: Any, imports: str = "") -> Any:
    """Return a function of a model's own."""
    opset = onnx.helper.make_opsetid(imports, 17)
    return onnx.helper.make_function(domain, "Own", ["x"], ["w"], list(nodes), [opset])


def trained(inner: Any) -> Any:
    """Return a model that says how it is trained."""
    made = operators(node())
    info = made.training_info.add()
    info.algorithm.CopyFrom(onnx.helper.make_graph([inner], "a", [], []))
    return made


FOREIGN = node("WordConvEmbedding", "com.microsoft")
BOTH = ("", "com.microsoft")


@pytest.mark.parametrize(
    "made",
    [
        operators(FOREIGN, domains=BOTH),
        operators(FOREIGN),
        operators(node(), domains=BOTH),
        operators(node(), domains=("", "com.acme")),
        operators(branched(FOREIGN), domains=BOTH),
        operators(branched(branched(FOREIGN)), domains=BOTH),
        operators(node("Own", "own"), functions=[function("own", node())], domains=("", "own")),
        operators(node(), functions=[function("", FOREIGN, imports="com.microsoft")]),
        operators(node(), functions=[function("com.microsoft", node())]),
        operators(node("Gradient", "ai.onnx.preview.training")),
        operators(node("x", "AI.ONNX")),
        operators(node("Affine")),
        operators(node("ScaledTanh")),
        trained(FOREIGN),
    ],
)
def test_operators_beyond_onnx_are_not_safe_wherever_they_stand(made: Any, tmp_path: Path) -> None:
    """Whoever compiled them trusts the values of the file."""
    assert foreign(made.SerializeToString())
    assert verdict(tmp_path, made)[0] in ("code-carrying", "unknown")


@pytest.mark.parametrize(
    ("one", "named"),
    [
        (FOREIGN, "WordConvEmbedding"),
        (
            onnx.helper.make_node("Concat", ["x", ""], ["w"], axis=0),
            "Concat with a part that has no name",
        ),
    ],
)
def test_what_is_told_of_an_operator_says_what_to_do(one: Any, named: str, tmp_path: Path) -> None:
    said, why = verdict(tmp_path, operators(one, domains=BOTH))
    assert said == "code-carrying"
    assert named in why
    assert why.endswith("or have the policy allow code-carrying")


@pytest.mark.parametrize(
    "made",
    [
        operators(node()),
        operators(node("Normalizer", "ai.onnx.ml", norm="MAX"), domains=("ai.onnx.ml",)),
        operators(branched(onnx.helper.make_node("Constant", [], ["w"], value_float=1.0))),
        operators(node(), domain="com.acme", producer_name="acme"),
        operators(node(), functions=[function("", node())]),
    ],
)
def test_operators_of_onnx_itself_are_safe(made: Any, tmp_path: Path) -> None:
    assert verdict(tmp_path, made)[0] == "safe"


def made_twice(name: str) -> Any:
    """Return a node with an attribute that is there twice."""
    twice = node("Cast", **{name: 1})
    twice.attribute.add().CopyFrom(twice.attribute[0])
    return twice


def classifier(kind: str = "TreeEnsembleClassifier", **given: Any) -> Any:
    """Return a classifier of two labels, unless others are given."""
    labels = {} if "classlabels_strings" in given else {"classlabels_int64s": [0, 1]}
    more = {**labels, **given}
    return onnx.helper.make_node(kind, ["x"], ["w", "y"], domain="ai.onnx.ml", **more)


def referring(one: Any) -> Any:
    """Return a node whose transform is that of whoever calls the function it stands in."""
    attribute = next(a for a in one.attribute if a.name == "post_transform")
    attribute.ClearField("s")
    attribute.ref_attr_name = "transform"
    return one


@pytest.mark.parametrize(
    "one",
    [
        onnx.helper.make_node("GatherND", ["x", "x"], ["w"], batch_dims=-2),
        onnx.helper.make_node("SVMClassifier", ["x"], ["w", "z"], domain="ai.onnx.ml"),
        onnx.helper.make_node("MatMulInteger", ["x", "x"], ["w"]),
        onnx.helper.make_node("QLinearMatMul", ["x"] * 8, ["w"]),
        onnx.helper.make_node("ConvInteger", ["x", "x"], ["w"]),
        onnx.helper.make_node("CastLike", ["x", "x"], ["w"], saturate=-100),
        onnx.helper.make_node("Loop", ["x", "x"], ["w"]),
        onnx.helper.make_node("LSTM", ["x", "w", "r"], ["y"]),
        onnx.helper.make_node("GRU", ["x", "w", "r"], ["y"]),
        onnx.helper.make_node("Einsum", ["x", "x"], ["w"], equation="ij,ij->i"),
        onnx.helper.make_node("Concat", ["x", ""], ["w"], axis=0),
        onnx.helper.make_node("Sum", ["x", ""], ["w"]),
        onnx.helper.make_node("Max", ["", "x"], ["w"]),
        onnx.helper.make_node("Split", ["x"], ["", "w"], num_outputs=2),
        node("Cast", to=6, saturate=5),
        node("Cast", to=-(2**63)),
        node("AveragePool", auto_pad="SAME_LOWER", kernel_shape=[2, 2**31 - 1]),
        node("MaxPool", kernel_shape=[2, 2], pads=[0, 0, -1, 0]),
        onnx.helper.make_node("Conv", ["x", "x"], ["w"], dilations=[2**40, 1]),
        made_twice("to"),
        onnx.helper.make_node("Split", ["x"], ["w", "y", "z"], num_outputs=2),
        branched(node("Cast", to=6, saturate=2**32)),
        onnx.helper.make_node("", ["x"], ["w"]),
        onnx.helper.make_node("LayerNormalization", ["x", "x", ""], ["w"]),
        onnx.helper.make_node("BatchNormalization", ["x"] * 5, ["w", "", ""], training_mode=1),
        classifier("LinearClassifier", post_transform="PROBIT", coefficients=[0.0]),
        classifier(post_transform="PROBIT", class_ids=[0, 0]),
        classifier(base_values=[0.2], class_ids=[0, 1]),
        classifier(base_values=[0.2]),
        classifier(base_values=[0.2], class_ids=[1, 0], classlabels_strings=["a", "b"]),
        classifier(classlabels_strings=["a"], class_ids=[0]),
        referring(classifier("LinearClassifier", post_transform="NONE")),
    ],
)
def test_operators_beyond_the_list_and_odd_numbers_are_told(one: Any) -> None:
    """ONNX Runtime 1.32 reads or answers foreign memory for them, or never ends."""
    assert foreign(operators(one).SerializeToString())


@pytest.mark.parametrize(
    "one",
    [
        node("Cast", to=1),
        node("Cast", to=7, saturate=0),
        node("AveragePool", kernel_shape=[7, 7], strides=[2, 2], pads=[3, 3, 3, 3]),
        onnx.helper.make_node("Split", ["x"], ["w", "y"], num_outputs=2),
        onnx.helper.make_node("Split", ["x"], ["w", "y"], axis=1),
        onnx.helper.make_node("TreeEnsembleRegressor", ["x"], ["w"], domain="ai.onnx.ml"),
        onnx.helper.make_node("LayerNormalization", ["x", "x"], ["w"]),
        onnx.helper.make_node("Range", ["x", "x", "x"], ["w"]),
        classifier("LinearClassifier", post_transform="LOGISTIC", coefficients=[0.0]),
        classifier(post_transform="LOGISTIC", base_values=[0.2], class_ids=[0, 0]),
        classifier(class_ids=[0, 1]),
        classifier(base_values=[0.2, 0.3], class_ids=[0, 1]),
    ],
)
def test_operators_of_the_list_are_not(one: Any) -> None:
    assert foreign(operators(one).SerializeToString()) == []


@pytest.mark.parametrize(("ids", "told"), [((0, 1), True), ((0, 0), False)])
def test_class_ids_are_read_in_either_form_of_protobuf(ids: tuple[int, int], told: bool) -> None:
    made = operators(classifier(base_values=[0.2], class_ids=ids))
    apart = made.SerializeToString()
    packed = apart.replace(bytes([0x40, ids[0], 0x40, ids[1]]), bytes([0x42, 2, *ids]))
    assert packed != apart
    assert onnx.ModelProto.FromString(packed) == made
    assert bool(foreign(apart)) is bool(foreign(packed)) is told


@pytest.mark.parametrize(
    ("domains", "told"),
    [(("",), False), (("ai.onnx",), False), (("ai.onnx.ml", ""), False), (("ai.onnx.ml",), True)],
)
def test_operators_of_no_version_count_as_the_newest(domains: tuple[str, ...], told: bool) -> None:
    """ONNX's own check refuses such a file, but is not asked about one over 384 MiB."""
    counted = onnx.helper.make_node("Range", ["a", "b", "c"], ["w"])
    assert foreign(operators(counted, domains=domains).SerializeToString()) == ["Range"] * told


def test_a_range_that_onnx_runtime_makes_a_loop_of_is_told() -> None:
    """From opset 27 on halves may be counted: one of a million rounds held a replica 5 s."""
    made = operators(onnx.helper.make_node("Range", ["x", "x", "x"], ["w"]))
    assert foreign(made.SerializeToString()) == []
    own = made.functions.add()
    own.CopyFrom(function("", node()))
    for version, told in ((26, []), (27, ["Range"])):
        own.opset_import[0].version = version
        assert foreign(made.SerializeToString()) == told
    made.functions.pop()
    made.opset_import[0].version = 27
    assert foreign(made.SerializeToString()) == ["Range"]


def renamed(message: Any, field: int) -> bytes:
    """Return a message that has another name before its own."""
    return bytes([field << 3 | 2, 2]) + b"zz" + bytes(message.SerializeToString())


def test_what_protobuf_takes_the_last_of_comes_once() -> None:
    """Another name of an attribute before its own hid an odd number from the list of numbers."""
    cast = node("Cast", to=6, saturate=5)
    two = renamed(cast.attribute[1], 1)
    assert onnx.AttributeProto.FromString(two).name == cast.attribute[1].name
    tensor = onnx.helper.make_tensor("w", 1, [1], [0.5])
    for message, data in (
        ("attribute", two),
        ("node", renamed(cast, 4)),
        ("tensor", renamed(tensor, 8)),
    ):
        with pytest.raises(NotRead):
            list(places(memoryview(data), message))
    for message, whole in (("attribute", cast.attribute[1]), ("node", cast), ("tensor", tensor)):
        assert list(places(memoryview(whole.SerializeToString()), message)) == []


def test_a_tensor_that_is_told_in_two_pieces_is_not_read() -> None:
    """Protobuf makes one of two: a place in the first, an offset in the second."""
    made = model([("location", "w.bin")], "attribute")
    piece = onnx.TensorProto(data_location=1)
    piece.external_data.add(key="offset", value="400000")
    two = made.graph.node[0].attribute[0].SerializeToString()
    two += b"\x2a" + bytes([piece.ByteSize()]) + piece.SerializeToString()
    assert len(onnx.AttributeProto.FromString(two).t.external_data) == 2
    with pytest.raises(NotRead):
        list(places(memoryview(two), "attribute"))
