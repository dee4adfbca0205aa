"""Small ONNX files of which plain readers make objects without number."""

from pathlib import Path

import pytest

from tests.support.scanning import scan_bytes
from workers.builder.scanning import onnx, onnx_fields, onnx_parts

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
