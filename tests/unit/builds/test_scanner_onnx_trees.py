"""Trees of ONNX: what a row never comes out of is not safe."""

from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest

from tests.support.protobuf import four, text
from workers.builder.scanning import onnx_trees
from workers.builder.scanning.files import Scanner
from workers.builder.scanning.onnx import foreign
from workers.builder.scanning.onnx_fields import NotRead

ML = "ai.onnx.ml"
KINDS = ("TreeEnsembleRegressor", "TreeEnsembleClassifier")


def model(*nodes: Any, version: int = 3, functions: tuple[Any, ...] = ()) -> bytes:
    """Return a model of these nodes."""
    given = onnx.helper.make_tensor_value_info("x", 1, [None, 2])
    out = onnx.helper.make_tensor_value_info("y", 1, [None, 1])
    graph = onnx.helper.make_graph(list(nodes), "g", [given], [out])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(ML, version)]
    made = onnx.helper.make_model(graph, opset_imports=opsets, functions=functions)
    return bytes(made.SerializeToString())


def trees(kind: str = KINDS[0], **other: list[Any]) -> Any:
    """Return two trees: in each node 0 leads to 1 and 4, and node 1 to 2 and 3, which are leaves
    as 4 is. ``other`` are lists instead of theirs."""
    given: dict[str, list[Any]] = {
        "nodes_treeids": [0] * 5 + [1] * 5,
        "nodes_nodeids": [0, 1, 2, 3, 4] * 2,
        "nodes_truenodeids": [1, 2, 0, 0, 0] * 2,
        "nodes_falsenodeids": [4, 3, 0, 0, 0] * 2,
        "nodes_modes": (["BRANCH_LEQ"] * 2 + ["LEAF"] * 3) * 2,
        "nodes_featureids": [0] * 10,
        "nodes_values": [0.5] * 10,
    }
    lists = {name: one for name, one in {**given, **other}.items() if one}
    outputs = ["y"] if kind == KINDS[0] else ["label", "y"]
    return onnx.helper.make_node(kind, ["x"], outputs, domain=ML, **lists)


def places(roots: tuple[int, ...] = (0,), **other: list[int]) -> Any:
    """Return a tree of version 5, whose leaves are apart: node 0 leads to node 1 and a leaf."""
    given = {
        "nodes_truenodeids": [1, 0],
        "nodes_trueleafs": [0, 1],
        "nodes_falsenodeids": [0, 1],
        "nodes_falseleafs": [1, 1],
        "leaf_targetids": [0, 0],
        "nodes_featureids": [0, 1],
    }
    splits = onnx.numpy_helper.from_array(numpy.array([0.5, 0.5], "f4"))
    weights = onnx.numpy_helper.from_array(numpy.array([1, 2], "f4"))
    modes = onnx.numpy_helper.from_array(numpy.array([0, 0], "u1"))
    more = {"nodes_splits": splits, "leaf_weights": weights, "nodes_modes": modes}
    lists = {**given, **other, **more, "tree_roots": roots}
    return onnx.helper.make_node("TreeEnsemble", ["x"], ["y"], domain=ML, n_targets=1, **lists)


def branched(inner: Any) -> Any:
    """Return a node that has another in its branches."""
    out = onnx.helper.make_tensor_value_info("y", 1, None)
    graph = onnx.helper.make_graph([inner], "b", [], [out])
    return onnx.helper.make_node("If", ["c"], ["z"], then_branch=graph, else_branch=graph)


TO_AN_ANCESTOR = {
    "nodes_treeids": [0] * 6,
    "nodes_nodeids": [0, 1, 2, 3, 4, 5],
    "nodes_truenodeids": [1, 2, 1, 0, 0, 0],
    "nodes_falsenodeids": [3, 4, 5, 0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ"] * 3 + ["LEAF"] * 3,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("other", "told"),
    [
        (TO_AN_ANCESTOR, "whose node 1 of tree 0 leads in a circle"),
        ({"nodes_truenodeids": [1, 2, 0, 0, 0, 1, 0, 0, 0, 0]}, "of tree 1 leads in a circle"),
        ({"nodes_falsenodeids": [4, 1, 0, 0, 0] * 2}, "whose node 1 of tree 0 leads in a circle"),
        ({"nodes_truenodeids": [1, 2, 0, 0, 0, 1, 2**40, 0, 0, 0]}, "node 1 of tree 1 leads to"),
        ({"nodes_truenodeids": [1, -2, 0, 0, 0] * 2}, "whose node 1 of tree 0 leads to none"),
        ({"nodes_treeids": [0] * 5 + [1] * 4 + [2]}, "whose node 0 of tree 1 leads to none"),
        ({"nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2, 2, 4]}, "two nodes of one number in tree 1"),
        ({"nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2, 3]}, "with lists of different lengths"),
        ({"nodes_modes": ["LEAF"]}, "with lists of different lengths"),
        ({"nodes_falsenodeids": []}, "with lists of different lengths"),
        (
            {"nodes_modes": (["leaf"] * 2 + ["LEAF"] * 3) * 2, "nodes_nodeids": [7] * 10},
            "two nodes",
        ),
    ],
)
def test_a_tree_that_a_row_may_not_come_out_of_is_told(
    kind: str, other: dict[str, list[Any]], told: str
) -> None:
    """ONNX Runtime 1.32 loads most of these, and then never ends at some rows."""
    [one] = foreign(model(trees(kind, **other)))
    assert one.startswith(kind)
    assert told in one


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_says_leaf_is_one(kind: str) -> None:
    """ONNX Runtime follows a node of any other mode."""
    for mode in ("leaf", "", "BRANCH_NEQ"):
        modes = ["BRANCH_LEQ", "BRANCH_LEQ", mode, "LEAF", "LEAF"] * 2
        assert "leads in a circle" in foreign(model(trees(kind, nodes_modes=modes)))[0]


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"nodes_truenodeids": [1, 2, 0, 0, 9] * 2},
        {"nodes_truenodeids": [1, 2, 0, 0, 0] * 2, "nodes_falsenodeids": [1, 2, 0, 0, 0] * 2},
        {"nodes_falsenodeids": [2, 3, 0, 0, 0] * 2},
        {"nodes_treeids": [7, -1] * 5, "nodes_nodeids": [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]}
        | {"nodes_truenodeids": [1, 1, 2, 2, 0, 0, 0, 0, 0, 0]}
        | {"nodes_falsenodeids": [4, 4, 3, 3, 0, 0, 0, 0, 0, 0]}
        | {"nodes_modes": ["BRANCH_LEQ"] * 4 + ["LEAF"] * 6},
        {name: [] for name in ("nodes_modes", *TO_AN_ANCESTOR)},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_trees_with_shared_children_mixed_ones_and_none_are_safe(
    kind: str, other: dict[str, list[Any]]
) -> None:
    assert foreign(model(trees(kind, **other))) == []


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (places(nodes_truenodeids=[1, 0], nodes_trueleafs=[0, 0]), "leads in a circle"),
        (places(nodes_truenodeids=[2, 0]), "whose node 0 leads to none"),
        (places(nodes_falsenodeids=[2, 0]), "whose node 0 leads to none"),
        (places(nodes_truenodeids=[-1, 0]), "whose node 0 leads to none"),
        (places(leaf_targetids=[0]), "whose node 1 leads to none"),
        (places(nodes_trueleafs=[0]), "with lists of different lengths"),
        (places(roots=(0, 2)), "with a root that is not there"),
    ],
)
def test_a_tree_of_version_5_is_held_in_its_own_form(one: Any, told: str) -> None:
    assert told in foreign(model(one, version=5))[0]


def test_an_honest_tree_of_version_5_is_safe() -> None:
    assert foreign(model(places(), version=5)) == []
    assert foreign(model(places(nodes_truenodeids=[1, 0], roots=(0, 1)), version=5)) == []


def test_a_tree_is_held_wherever_it_stands() -> None:
    bad = trees(**TO_AN_ANCESTOR)
    opset = onnx.helper.make_opsetid(ML, 3)
    inside = onnx.helper.make_function("", "Own", ["x"], ["y"], [bad], [opset])
    assert foreign(model(branched(bad)))
    assert foreign(model(branched(branched(bad))))
    assert foreign(model(trees(), functions=(inside,)))


def test_a_tree_whose_lists_a_function_is_called_with_is_told() -> None:
    one = trees()
    for attribute in one.attribute:
        attribute.CopyFrom(
            onnx.AttributeProto(name=attribute.name, type=attribute.type, ref_attr_name="other")
        )
    opset = onnx.helper.make_opsetid(ML, 3)
    inside = onnx.helper.make_function("", "Own", ["x"], ["y"], [one], [opset])
    assert "of a function's caller" in foreign(model(trees(), functions=(inside,)))[0]


def test_a_function_that_is_called_like_an_operator_is_told() -> None:
    """Whoever reads the operator's node would not see what it does."""
    opset = onnx.helper.make_opsetid("", 17)
    body = onnx.helper.make_node("Neg", ["x"], ["y"])
    for name, told in (("Scaler", ["function Scaler"]), ("Own", [])):
        inside = onnx.helper.make_function(ML, name, ["x"], ["y"], [body], [opset])
        assert foreign(model(trees(), functions=(inside,))) == told


def test_numbers_of_nodes_are_read_as_protobuf_reads_them() -> None:
    """It keeps 64 bits of a number; a list may be packed or not."""
    lists = {name: TO_AN_ANCESTOR[name] for name in ("nodes_treeids", "nodes_nodeids")}
    raw = model(trees(**{**TO_AN_ANCESTOR, **lists, "nodes_truenodeids": [1, 2, 5, 0, 0, 0]}))
    apart, packed = bytes([0x40, 1, 0x40, 2, 0x40, 5]), bytes([0x42, 4, 1, 2, 5, 0])
    assert raw.count(apart + bytes([0x40, 0])) == 1
    again = raw.replace(apart + bytes([0x40, 0]), packed + bytes([0x42, 0]))
    assert onnx.ModelProto.FromString(again) == onnx.ModelProto.FromString(raw)
    assert foreign(raw) == foreign(again) == []


@pytest.mark.parametrize(("deep", "told"), [(3_000, False), (3_001, True), (50_000, True)])
def test_a_tree_has_so_many_levels(deep: int, told: bool) -> None:
    """One of 11,000 ends ONNX Runtime 1.32 by its stack of 8 MiB."""
    chain = trees(
        nodes_treeids=[0] * (deep + 1),
        nodes_nodeids=[*range(deep + 1)],
        nodes_truenodeids=[*range(1, deep + 1), 0],
        nodes_falsenodeids=[*range(1, deep + 1), 0],
        nodes_modes=["BRANCH_LEQ"] * deep + ["LEAF"],
    )
    found = foreign(model(chain))
    assert [("3,000 levels" in str(one)) for one in found] == [True] * told


@pytest.mark.parametrize(("deep", "told"), [(100, False), (101, True)])
def test_one_of_sets_has_fewer(deep: int, told: bool) -> None:
    """ONNX Runtime makes a level of each member: 10,000 nodes of two ended it."""
    lists: dict[str, list[int]] = {
        "nodes_truenodeids": [*range(1, deep), 0],
        "nodes_trueleafs": [0] * (deep - 1) + [1],
        "nodes_falsenodeids": [0] * deep,
        "nodes_falseleafs": [1] * deep,
    }
    chain = places(**lists)
    members = onnx.numpy_helper.from_array(numpy.array([1, numpy.nan] * deep, "f4"))
    chain.attribute.append(onnx.helper.make_attribute("membership_values", members))
    found = foreign(model(chain, version=5))
    assert [("100 levels" in str(one)) for one in found] == [True] * told


def test_numbers_that_protobuf_drops_hide_no_circle() -> None:
    """Two lists begin with four more numbers and the others end with them: so it looked whole."""
    circle = trees(**TO_AN_ANCESTOR)
    raw = b""
    for one in circle.attribute:
        before, after = {
            "nodes_treeids": (four(8, bytes(4)), b""),
            "nodes_nodeids": (four(8, bytes([10, 11, 12, 13])), b""),
            "nodes_truenodeids": (b"", four(8, bytes(4))),
            "nodes_falsenodeids": (b"", four(8, bytes(4))),
            "nodes_modes": (b"", four(9, b"LEAF") * 4),
        }.get(one.name, (b"", b""))
        raw += text(5, before + one.SerializeToString() + after)
    del circle.attribute[:]
    made = onnx.ModelProto.FromString(model())
    graph = made.graph.SerializeToString() + text(1, circle.SerializeToString() + raw)
    made.ClearField("graph")
    found = foreign(made.SerializeToString() + text(7, graph))
    assert found == foreign(model(trees(**TO_AN_ANCESTOR))) != []


def test_what_is_told_of_a_tree_names_the_node_and_makes_the_file_code_carrying(
    tmp_path: Path,
) -> None:
    (tmp_path / "model.onnx").write_bytes(model(trees(**TO_AN_ANCESTOR)))
    scanner = Scanner(tmp_path)
    scanner.scan_files()
    assert scanner.report.verdict() == "code-carrying"
    assert "node 1 of tree 0 leads in a circle" in scanner.report.gravest_first()[0][2]


@pytest.mark.parametrize(
    "node",
    [trees(KINDS[0]), trees(KINDS[1]), places()],
    ids=["values", "classes", "places"],
)
def test_a_tree_of_more_nodes_than_are_followed_is_not_read(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes memory; a forest may have any number of trees."""
    count = 2 if node.op_type == "TreeEnsemble" else 5
    version = 5 if node.op_type == "TreeEnsemble" else 3
    monkeypatch.setattr(onnx_trees, "MAX_NODES", count)
    before = foreign(model(node, version=version))
    assert not any("more than" in one for one in before)
    monkeypatch.setattr(onnx_trees, "MAX_NODES", count - 1)
    with pytest.raises(NotRead, match="tree of more than"):
        foreign(model(node, version=version))
