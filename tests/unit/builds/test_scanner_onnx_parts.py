"""Small ONNX files of which plain readers make objects without number."""

from pathlib import Path

import onnx as library
import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tests.support.scanning import scan_bytes, scan_folder
from workers.builder.scanning import onnx, onnx_fields, onnx_parts
from workers.builder.scanning.onnx_fields import BITS, NotOnnx, Run, attribute, fields, in_runs

NOWHERE = Path("/nonexistent")


def field(number: int, data: bytes) -> bytes:
    """Return a field of protobuf."""
    length, parts = len(data), b""
    while length > 127:
        parts, length = parts + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + parts + bytes([length]) + data


def graph(inside: bytes) -> bytes:
    """Return an ONNX model with one node and more in its graph."""
    node = field(1, field(4, b"Add") + field(1, b"x") + field(2, b"y"))
    return b"\x08\x08" + field(8, b"\x0a\0\x10\x12") + field(7, node + inside)


@pytest.mark.parametrize(
    "inside",
    [
        field(1, field(4, b"Sum") + b"\x0a\0" * 600),
        field(5, b"\x6a\0" * 600),
    ],
    ids=["inputs", "places"],
)
def test_a_message_of_onnx_with_countless_parts_is_not_listed(
    inside: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two bytes of it take a hundred times that in a list, before anybody says that it is none."""
    monkeypatch.setattr(onnx, "MAX_PARTS", 500)
    monkeypatch.setattr(onnx_fields, "MAX_PARTS", 500)
    report = scan_bytes("m.onnx", graph(inside), NOWHERE)
    assert report.verdict() == "unknown"
    assert any("has more than 500 parts" in what for _, _, what in report.findings)


@pytest.mark.parametrize("number", [5, 11, 12, 13, 14, 16])
def test_no_objects_are_made_of_countless_messages(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_parts, "MAX_MEMORY", 100_000)
    part = bytes([number << 3 | 2, 0]) if number < 16 else b"\x82\1\0"
    report = scan_bytes("m.onnx", graph(part * 600), NOWHERE)
    assert [what for _, _, what in report.findings] == [
        "is ONNX that is not read here: it has too many parts"
    ]


@pytest.mark.parametrize(
    "model",
    [
        graph(field(5, field(8, b"t") + b"\x10\7" + field(7, bytes(9_000)))),
        graph(field(5, field(8, b"t") + b"\x10\7" + b"\x38\0" * 9_000)),
        graph(field(1, field(4, b"Add") + field(5, field(1, b"axes") + field(8, bytes(9_000))))),
        b"\x08\x08\x10\x08" * 600 + graph(b""),
        field(26, field(1, b"c") + b"\x1a\0" * 2_000).replace(b"\xd2", b"\xd2\1", 1) + graph(b""),
    ],
    ids=["packed", "unpacked", "attribute", "in turns", "devices"],
)
def test_countless_numbers_and_devices_are_parts_too(
    model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte of a packed one becomes eight, and eight more."""
    monkeypatch.setattr(onnx_parts, "MAX_MEMORY", 100_000)
    report = scan_bytes("m.onnx", model, NOWHERE)
    assert [what for _, _, what in report.findings] == [
        "is ONNX that is not read here: it has too many parts"
    ]


NUMBERS = [  # field, kind, and what it is
    (b"\x08\x08" * 5, 1, [8] * 5),
    (b"\x40\xff\x7f" * 3 + b"\x40\0", 8, [0x3FFF] * 3 + [0]),
    (b"\x40" + b"\xff" * 9 + b"\1" + b"\x40\1", 8, [BITS, 1]),
    (b"\x3d\x3d\x3d\x3d\x3d" * 3, 7, [bytes(4)] * 3),
    (b"\x51" + b"\n" * 8 + b"\x51" + b"\x51" * 8, 10, [bytes(8)] * 2),
    (b"\xa0\1\7\xa0\1\7", 20, [7, 7]),
    (b"\x88\0\7\x08\7", 1, [7, 7]),
]


@pytest.mark.parametrize(("data", "number", "values"), NUMBERS)
def test_numbers_behind_each_other_are_the_same_read_in_one(
    data: bytes, number: int, values: list[int | bytes]
) -> None:
    text = field(5, b"\x08\x08")
    read = [*fields(memoryview(text + data + text))]
    assert read == [(5, b"\x08\x08"), *((number, one) for one in values), (5, b"\x08\x08")]
    runs = [run for _, run in in_runs(memoryview(data)) if isinstance(run, Run)]
    assert sum(run.count for run in runs) == len(values)
    assert len(runs) == 1 or data[0] >= 0x80
    with pytest.raises(NotOnnx):
        list(in_runs(memoryview(data[:-1])))


def test_of_a_list_that_nobody_asks_for_no_number_is_read() -> None:
    """Those of a forest have ten million."""
    read = attribute(memoryview(field(1, b"nodes_featureids") + b"\x40\1" * 9 + field(8, b"\1\2")))
    assert "wholes" not in vars(read)
    assert [*read.wholes] == [1] * 9 + [1, 2]


def test_a_model_that_memory_ran_out_for_is_not_said_to_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        @staticmethod
        def FromString(data: bytes) -> None:
            raise DecodeError("Error parsing message: Arena alloc failed")

    monkeypatch.setattr(library, "ModelProto", Full)
    (tmp_path / "m.onnx").write_bytes(graph(b""))
    report = scan_folder(tmp_path)
    assert report.verdict() == "unknown"
    assert report.cut
    assert not any("no model" in what for _, _, what in report.findings)
