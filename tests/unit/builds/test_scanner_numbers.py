"""Numbers of a file's own choosing are no keys that all meet in one place of a dict."""

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest

from tests.support.scanning import scan_bytes
from tests.support.spending import spent
from workers.builder.scanning import __main__ as scan
from workers.builder.scanning.onnx import Outside, _imports, foreign, outside, places
from workers.builder.scanning.skops_content import differ
from workers.builder.scanning.spread import PRIME

NOWHERE = Path("/nonexistent")
SLOTS = 1 << 15


@pytest.fixture(scope="module")
def chosen() -> list[int]:
    """Numbers that a dict keeps one behind the other: a third of its slots in the order in which
    Python goes at last, and as many that it takes there from slots that are not free."""
    row, place = [], 7
    for _ in range(SLOTS // 3 + 1):
        row.append(place)
        place = (5 * place + 1) % SLOTS
    where = numpy.full(SLOTS, -1)
    where[row] = range(len(row))
    drawn, led = numpy.random.default_rng(1), set[int]()
    while len(led) < SLOTS // 3 - 9:
        high = drawn.integers(1, 1 << 12, 1 << 20) * SLOTS
        numbers = drawn.choice(row, 1 << 20) + high
        left, places = numbers.copy(), numbers % SLOTS
        while left.any():
            left >>= 5
            places = (5 * places + left + 1) % SLOTS
            met = where[places] >= 0
            numbers, left, places = numbers[met], left[met], places[met]
        led |= {*numbers[where[places] < len(row) // 8].tolist()}
    return [*row, *list(led)[: SLOTS // 3 - 9]]


def tree(ids: list[int]) -> bytes:
    """Return an ONNX file of a tree whose nodes all lead to the last one."""
    count, last = len(ids), ids[-1]
    lists: dict[str, Any] = {
        "nodes_treeids": [0] * count,
        "nodes_nodeids": ids,
        "nodes_truenodeids": [last] * count,
        "nodes_falsenodeids": [last] * count,
        "nodes_modes": ["BRANCH_LEQ"] * (count - 1) + ["LEAF"],
    }
    made = onnx.helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **lists
    )
    given = onnx.helper.make_tensor_value_info("x", 1, [None, 2])
    out = onnx.helper.make_tensor_value_info("y", 1, [None, 1])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    graph = onnx.helper.make_graph([made], "g", [given], [out])
    return bytes(onnx.helper.make_model(graph, opset_imports=opsets).SerializeToString())


def stored(places: list[int]) -> bytes:
    """Return a pickle that stores at places of its own choosing."""
    return b"\x80\x04N" + b"".join(b"r" + struct.pack("<I", place) for place in places) + b"."


def test_nodes_of_a_tree_may_have_any_numbers(chosen: list[int]) -> None:
    """44,000 of them took 14 seconds, and twice as many four times that."""
    seconds, odd = spent(lambda: foreign(tree(chosen)), 0.5)
    assert odd == []
    assert seconds < 1.5


def test_trees_may_have_any_numbers(chosen: list[int]) -> None:
    one = onnx.ModelProto.FromString(tree(chosen))
    lists = {held.name: held for held in one.graph.node[0].attribute}
    lists["nodes_treeids"].ints[:] = chosen
    for name in ("nodes_truenodeids", "nodes_falsenodeids"):
        lists[name].ints[:] = chosen
    lists["nodes_modes"].strings[:] = [b"LEAF"] * len(chosen)
    seconds, odd = spent(lambda: foreign(one.SerializeToString()), 0.2)
    assert odd == []
    assert seconds < 0.3


def test_a_pickle_may_store_at_any_places(chosen: list[int]) -> None:
    seconds, report = spent(lambda: scan_bytes("model.pkl", stored(chosen), NOWHERE), 0.1)
    assert report.verdict() == "code-carrying"
    assert seconds < 0.2


@pytest.mark.parametrize("number", [1.0, True])
def test_a_number_of_skops_that_equals_a_whole_one_is_not_taken_for_another(number: Any) -> None:
    assert differ([{"__id__": 1, "content": "a"}, {"__id__": number, "content": "b"}])


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it."""
    low, high = number & 127, number >> 7
    return bytes([low | 128]) + varint(high) if high else bytes([low])


def field(number: int, data: bytes) -> bytes:
    """Return a field of a message of protobuf."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def test_an_entry_of_weights_may_have_fields_of_any_numbers(chosen: list[int]) -> None:
    """Of the last one each of 60,000 was looked for behind 9,000 others."""
    numbers = [number for number in chosen if number > 2] + chosen[-1:] * 60_000
    entry = b"".join(field(number, b"") for number in numbers)
    told = field(13, field(1, b"location") + field(2, b"w.bin") + entry)
    seconds, found = spent(lambda: [*places(memoryview(told), "tensor")], 0.3)
    assert found == [Outside("w.bin", 0, None)]
    assert seconds < 0.6


def meeting(count: int) -> list[tuple[int, int]]:
    """Return offsets and lengths that have one hash together, behind an empty text
    (cpython Objects/tupleobject.c)."""
    one, two, five = 11400714785074694791, 14029467366897019727, 2870177450012600261
    found: list[tuple[int, int]] = []
    offset = 0

    def mixed(before: int, number: int) -> int:
        summed = (before + number * two) % (1 << 64)
        return (summed << 31 | summed >> 33) * one % (1 << 64)

    while len(found) < count:
        offset += 1
        length = -mixed(mixed(five, 0), offset) * pow(two, -1, 1 << 64) % (1 << 64)
        if length < 10**18:
            found.append((offset, length))
    return found


def test_weights_may_lie_anywhere() -> None:
    """As keys of a set 24,000 took half a minute."""
    pairs = meeting(4000)
    assert len({hash(Outside("", *pair)) for pair in pairs}) == 1
    tensors = []
    for offset, length in pairs:
        said = {"location": "", "offset": str(offset), "length": str(length)}
        parts = (field(1, k.encode()) + field(2, v.encode()) for k, v in said.items())
        tensors.append(field(5, b"".join(field(13, part) for part in parts)))
    data = b"\x08\x08" + field(7, b"".join([*tensors, *tensors]))
    seconds, found = spent(lambda: outside(data), 0.2)
    assert [(one.offset, one.length) for one in found] == pairs
    assert seconds < 0.5


def test_of_a_domain_of_operators_the_newest_version_is_kept() -> None:
    told = b"".join(field(8, b"\x0a\x00\x10" + bytes([one])) for one in (3, 17, 9))
    assert _imports(memoryview(told), "model") == {b"": 17}


def test_a_pickle_may_store_at_places_of_any_length() -> None:
    """Multiples of what Python takes the rest by leave none, whatever they are multiplied by."""
    data = b"N" + b"".join(b"p%d\n" % (PRIME * count) for count in range(1, 15_000)) + b"."
    seconds, report = spent(lambda: scan_bytes("model.pkl", data, NOWHERE), 0.3)
    assert report.verdict() == "code-carrying"
    assert seconds < 0.6


def test_what_is_stored_at_a_place_of_any_length_is_found_there() -> None:
    for place in (7, PRIME, PRIME * 2, 1 << 70):
        data = b"Vposix\np%d\n0Vsystem\np1\n0g%d\ng1\n\x93." % (place, place)
        assert scan_bytes("model.pkl", data, NOWHERE).verdict() == "malicious"


def test_a_number_of_skops_may_have_any_length() -> None:
    parts = [{"__id__": PRIME * count, "content": str(count)} for count in range(1, 15_000)]
    seconds, odd = spent(lambda: differ(parts), 0.4)
    assert not odd
    assert differ([*parts, {**parts[0], "content": "b"}])
    assert seconds < 0.8


@pytest.mark.parametrize("inside", ["'shape':(1,),{}", "'shape':{{{}}}", "'shape':[{{{}}}]"])
def test_a_header_of_an_array_is_no_dict_of_any_numbers(inside: str) -> None:
    """A MiB of them took twelve seconds, and was safe."""
    more = ",".join(f"{PRIME * count}:0" for count in range(1, 15_000))
    header = f"{{'descr':'<f8','fortran_order':False,{inside.format(more)}}}".encode()
    data = b"\x93NUMPY\2\0" + len(header).to_bytes(4, "little") + header + bytes(8)
    seconds, report = spent(lambda: scan_bytes("a.npy", data, NOWHERE), 0.6)
    assert report.verdict() == "unknown"
    assert seconds < 1


def test_a_column_of_an_array_may_be_called_as_one_likes() -> None:
    file = io.BytesIO()
    numpy.save(file, numpy.zeros(2, [("{a: {}", "<f8"), ("'{", "<i4")]))
    assert scan_bytes("a.npy", file.getvalue(), NOWHERE).verdict() == "safe"


def test_picklescan_may_be_given_any_places(chosen: list[int], tmp_path: Path) -> None:
    """4,000,000 opcodes with places that it counts to itself took all of a scan's time."""
    (tmp_path / "model.pkl").write_bytes(stored(chosen + chosen[-1:] * 40_000))
    seconds, told = spent(lambda: scan.by_picklescan(tmp_path / "model.pkl"), 0.5)
    assert not told.globals
    assert seconds < 1


@pytest.mark.parametrize("put", [b"\x94", b"q\0", b"p9\n"], ids=["next", "byte", "text"])
def test_picklescan_finds_names_by_their_places(put: bytes, tmp_path: Path) -> None:
    place = {b"\x94": b"h\0", b"q\0": b"h\0"}.get(put, b"g9\n")
    data = b"\x80\4\x8c\5posix" + put + b"0" + place + b"\x8c\6system\x93."
    (tmp_path / "model.pkl").write_bytes(pickle.dumps([1, "a", "b"], 4) + data)
    found = scan.by_picklescan(tmp_path / "model.pkl").globals
    assert {(one.module, one.name) for one in found} == {("posix", "system")}
