"""Reads the fields of the messages of an ONNX file, from the protobuf wire format."""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import islice

# Fields of an attribute.
NAME, WHOLE, TEXT, FLOATS, WHOLES, TEXTS, REFERENCE = 1, 3, 4, 7, 8, 9, 21
MAX_PARTS = 100_000  # of a node, or of the place of a tensor's weights
BITS = (1 << 64) - 1  # of a number, of which protobuf keeps so many
FOUR_BYTES = 5
WIDTHS = {
    1: 8,
    FOUR_BYTES: 4,
}  # kind of a number on the wire → its bytes, where they are always as many
GOES_ON = bytes(range(0x80, 0x100))  # bytes behind which a varint goes on


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


@dataclass(slots=True)
class Run:
    """Numbers of one field, one behind the other, each with its key before it."""

    data: memoryview
    wire: int
    count: int

    def values(self) -> Iterator[int]:
        """Yield the numbers, where they are whole ones."""
        value = shift = 0
        is_key = True
        for byte in bytes(self.data) if self.wire == 0 else b"":
            if is_key:
                is_key = byte >= 0x80
            elif byte < 0x80:
                yield (value | byte << shift) & BITS
                value, shift, is_key = 0, 0, True
            else:
                value, shift = value | (byte & 0x7F) << shift, shift + 7


@cache
def _run(key: int) -> re.Pattern[bytes]:
    """Return what numbers look like that follow one with a key of one byte."""
    wire = key & 7
    number = rb"[\x80-\xff]{0,9}+[\x00-\x7f]" if wire == 0 else b".{%d}" % WIDTHS[wire]
    return re.compile(b"(?:%b%b)*+" % (re.escape(bytes([key])), number), re.DOTALL)


def in_runs(data: memoryview) -> Iterator[tuple[int, Run | memoryview]]:
    """Yield the fields of one message: a view of what says its length, and numbers that follow each
    other in one field as one, since a forest has a million in each of its lists. Protobuf never
    takes one for the other, so whoever reads asks which it is."""
    offset = 0
    while offset < len(data):
        begin = offset
        key, offset = varint(data, offset)
        number, wire = key >> 3, key & 7
        if number == 0 or key >> 32:  # protobuf drops what does not fit into 32 bits
            raise NotOnnx("a field has no number, or one that is too large")
        size = WIDTHS.get(wire, 0)
        if wire == 2:
            size, offset = varint(data, offset)
        elif wire == 0:
            _, offset = varint(data, offset)
        elif wire not in WIDTHS:
            raise NotOnnx("a field has an unknown kind")
        if offset + size > len(data):
            raise NotOnnx("a field is cut off")
        place, offset = offset, offset + size
        if wire == 2:
            yield number, data[place:offset]
            continue
        count, next_one = 1, offset
        plain = key < 0x80 and key == data[begin]  # of one byte
        if plain and data[offset : offset + 1] == data[begin : begin + 1]:
            rest = _run(key).match(data, offset)
            offset = rest.end() if rest else offset
            count += _counted(data[next_one:offset], wire)
        yield number, Run(data[begin:offset], wire, count)


def _counted(data: memoryview, wire: int) -> int:
    """Return how many numbers with keys of one byte these are."""
    return finished(data) // 2 if wire == 0 else len(data) // (1 + WIDTHS[wire])


def finished(data: memoryview) -> int:
    """Return how many varints end in ``data``."""
    return len(bytes(data).translate(None, GOES_ON))


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview | bytes]]:
    """Yield the fields of one message, each number by itself; of fractions as many bytes as each
    takes."""
    for number, value in in_runs(data):
        if isinstance(value, memoryview):
            yield number, value
        elif value.wire == 0:
            yield from ((number, one) for one in value.values())
        else:
            yield from ((number, bytes(WIDTHS[value.wire])) for _ in range(value.count))


def listed(data: memoryview) -> list[tuple[int, int | memoryview | bytes]]:
    """Return the fields of a message that has few: of two bytes each takes a hundred times that."""
    few = list(islice(fields(data), MAX_PARTS + 1))
    if len(few) > MAX_PARTS:
        raise NotRead(f"a part of it has more than {MAX_PARTS} parts")
    return few


@dataclass
class Attribute:
    """What an attribute of a node holds of numbers and texts; of fractions only how many."""

    name: bytes = b""
    whole: set[int] = field(default_factory=set)
    text: set[bytes] = field(default_factory=set)
    lists: list[Run | memoryview] = field(default_factory=list)  # of whole numbers, as they stand
    leaves: bytearray = field(default_factory=bytearray)  # of each text, whether it is "LEAF"
    fractions: int = 0
    refers: bool = False  # to an attribute of whoever calls the function it stands in

    @cached_property
    def wholes(self) -> "array[int]":
        """The whole numbers of its list, which are read when somebody asks for them."""
        read = array("Q")
        for part in self.lists:
            read.extend(part.values() if isinstance(part, Run) else _packed(part))
        return read


def attribute(data: memoryview) -> Attribute:
    """Read an attribute of a node."""
    read = Attribute()
    for number, value in in_runs(data):
        if isinstance(value, Run):
            if number == WHOLE:
                read.whole.update(value.values())
            elif number == WHOLES and value.wire == 0:
                read.lists.append(value)
            elif number == FLOATS and value.wire == FOUR_BYTES:
                read.fractions += value.count
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
            read.lists.append(value)
    return read


def _packed(data: memoryview) -> Iterator[int]:
    """Yield the varints of a packed field."""
    place = 0
    while place < len(data):
        value, place = varint(data, place)
        yield value & BITS
