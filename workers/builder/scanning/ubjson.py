"""Reads UBJSON as XGBoost writes it (xgboost ``src/common/json.cc``, ``UBJReader``): one whole
object, with nothing behind it."""

import struct
import sys
from array import array
from typing import IO, Any

MAX_DEPTH = 64
MAX_BYTES = 1 << 30
MAX_VALUES = 4_000_000  # with a name each take a GiB; a tree has some twenty
# Type mark → code of struct and of array; numbers are big-endian.
CODES = {b"i": "b", b"U": "B", b"I": "h", b"l": "i", b"L": "q", b"d": "f", b"D": "d"}
EMPTY = {b"Z": None, b"N": None, b"T": True, b"F": False}
WHOLE = frozenset({b"i", b"U", b"I", b"l", b"L"})


class NotUbjson(Exception):
    """The bytes are not one whole UBJSON object."""


class NotRead(NotUbjson):
    """The bytes may be one: it has more than is read here."""


def decode(stream: IO[bytes]) -> dict[str, Any]:
    """Return the object in ``stream``; arrays of one kind of number come as ``array``.

    Raises :class:`NotUbjson`.
    """
    size = stream.seek(0, 2)
    if size > MAX_BYTES:
        raise NotRead(f"it is larger than {MAX_BYTES >> 20} MB")
    stream.seek(0)
    reader = _Reader(stream, size)
    if reader.take(1) != b"{":
        raise NotUbjson("it does not start with an object")
    document = reader.object(0)
    if stream.tell() != size:
        raise NotUbjson("something stands behind its end")
    return document


class _Reader:
    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._size, self._values = stream, size, 0

    def take(self, size: int) -> bytes:
        if not 0 <= size <= self._size - self._stream.tell():
            raise NotUbjson("it is cut off")
        return self._stream.read(size)

    def object(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while (mark := self.take(1)) != b"}":
            name = self._text(mark)
            if name in members:
                raise NotUbjson("an object has a member twice")
            members[name] = self._value(self.take(1), depth + 1)
        return members

    def _value(self, mark: bytes, depth: int) -> Any:
        self._values += 1
        if depth > MAX_DEPTH or self._values > MAX_VALUES:
            raise NotRead("it is nested too deeply or holds too many values")
        if mark == b"{":
            return self.object(depth)
        if mark == b"[":
            return self._array(depth)
        if mark in (b"S", b"H"):
            return self._text(self.take(1))
        if mark == b"C":
            return self.take(1).decode("latin-1")
        if mark in CODES:
            return self._one(mark)
        if mark in EMPTY:
            return EMPTY[mark]
        raise NotUbjson(f"it has a value of an unknown kind, {ascii(mark)[1:]}")

    def _one(self, mark: bytes) -> Any:
        code = ">" + CODES[mark]
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def _array(self, depth: int) -> Any:
        """An array is open, or says number, or kind and number, of its items first."""
        mark = self.take(1)
        if mark == b"#":
            return [self._value(self.take(1), depth + 1) for _ in range(self._number())]
        if mark != b"$":
            items = []
            while mark != b"]":
                items.append(self._value(mark, depth + 1))
                mark = self.take(1)
            return items
        kind = self.take(1)
        if kind not in CODES or self.take(1) != b"#":
            raise NotUbjson("it has an array of an unknown kind")
        return self._numbers(CODES[kind], self._number())

    def _numbers(self, code: str, count: int) -> "array[Any]":
        numbers = array(code)
        numbers.frombytes(self.take(count * numbers.itemsize))
        if sys.byteorder == "little":
            numbers.byteswap()
        return numbers

    def _number(self, mark: bytes = b"") -> int:
        mark = mark or self.take(1)
        if mark not in WHOLE:
            raise NotUbjson("it has a length that is no whole number")
        number = self._one(mark)  # nothing is kept of it, and no value counted
        if number < 0:
            raise NotUbjson("it has a negative length")
        return int(number)

    def _text(self, mark: bytes) -> str:
        return self.take(self._number(mark)).decode("utf-8", "replace")
