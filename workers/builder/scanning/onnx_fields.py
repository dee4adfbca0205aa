"""Reads the fields of the messages of an ONNX file, from the protobuf wire format."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

# Fields of an attribute.
NAME, WHOLE, TEXT, FLOATS, WHOLES, TEXTS, REFERENCE = 1, 3, 4, 7, 8, 9, 21
MAX_PARTS = 100_000  # of a node, or of the place of a tensor's weights
BITS = (1 << 64) - 1  # of a number, of which protobuf keeps so many


class NotOnnx(Exception):
    """The bytes are not a whole ONNX model."""


class NotRead(NotOnnx):
    """The model may be whole: what it has is not read here, and so is not said to be safe."""


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """Read a varint; return it and the place after it."""
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7
    raise NotOnnx("a number is cut off")


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview | bytes]]:
    """Yield the fields of one message: a view of what says its length, a copy of what always has
    four or eight bytes. Protobuf never takes one for the other, so whoever reads asks which it is.
    """
    offset = 0
    while offset < len(data):
        key, offset = varint(data, offset)
        number, wire = key >> 3, key & 7
        value: int | memoryview | bytes
        if number == 0 or key >> 32:  # protobuf drops what does not fit into 32 bits
            raise NotOnnx("a field has no number, or one that is too large")
        if wire == 0:
            value, offset = varint(data, offset)
        elif wire in {1, 2, 5}:
            size = {1: 8, 5: 4}.get(wire, 0)
            if wire == 2:
                size, offset = varint(data, offset)
            if offset + size > len(data):
                raise NotOnnx("a field is cut off")
            value, offset = data[offset : offset + size], offset + size
            if wire != 2:
                value = bytes(value)
        else:
            raise NotOnnx("a field has an unknown kind")
        yield number, value


def listed(data: memoryview) -> list[tuple[int, int | memoryview | bytes]]:
    """Return the fields of a message that has few: of two bytes each takes a hundred times that."""
    few = list(islice(fields(data), MAX_PARTS + 1))
    if len(few) > MAX_PARTS:
        raise NotRead(f"a part of it has more than {MAX_PARTS} parts")
    return few


def _numbers() -> "array[int]":
    return array("Q")


@dataclass(slots=True)
class Attribute:
    """What an attribute of a node holds of numbers and texts; of fractions only how many."""

    name: bytes = b""
    whole: set[int] = field(default_factory=set)
    text: set[bytes] = field(default_factory=set)
    wholes: "array[int]" = field(default_factory=_numbers)
    leaves: bytearray = field(default_factory=bytearray)  # of each text, whether it is "LEAF"
    fractions: int = 0
    refers: bool = False  # to an attribute of whoever calls the function it stands in


def attribute(data: memoryview) -> Attribute:
    """Read an attribute of a node."""
    read = Attribute()
    for number, value in fields(data):
        if isinstance(value, int):
            if number == WHOLE:
                read.whole.add(value)
            elif number == WHOLES:
                read.wholes.append(value & BITS)
        elif isinstance(value, bytes):
            read.fractions += number == FLOATS and len(value) == 4
        elif number == NAME:
            read.name += bytes(value)
        elif number == TEXT:
            read.text.add(bytes(value))
        elif number == TEXTS:
            read.leaves.append(bytes(value) == b"LEAF")
        elif number == REFERENCE:
            read.refers = True
        elif number == FLOATS:  # packed, or one by one
            read.fractions += len(value) // 4
        elif number == WHOLES:
            read.wholes.extend(_packed(value))
    return read


def _packed(data: memoryview) -> Iterator[int]:
    """Yield the varints of a packed field."""
    place = 0
    while place < len(data):
        value, place = varint(data, place)
        yield value & BITS
