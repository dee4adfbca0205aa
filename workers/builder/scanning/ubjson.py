"""Follows a UBJSON file, as XGBoost writes it, to its end: it must hold nothing behind."""

from typing import IO

MAX_DEPTH = 64
SIZES = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8, b"C": 1}
EMPTY = frozenset({b"Z", b"T", b"F", b"N"})
WHOLE = frozenset({b"i", b"U", b"I", b"l", b"L"})

OBJECT, ARRAY = 0, 1


class NotUbjson(Exception):
    """The bytes are not one whole UBJSON value."""


class Reader:
    """Steps over values without keeping them."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._size = stream, size
        self._open: list[list[int]] = []  # the containers around: kind, items left or -1

    def follow(self) -> None:
        """Read one value and the end of the file. Raises :class:`NotUbjson`."""
        if self._take(1) != b"{":
            raise NotUbjson("it does not start with an object")
        self._enter(OBJECT)
        while self._open:
            self._step()
        if self._stream.tell() != self._size:
            raise NotUbjson("something stands behind its end")

    def _step(self) -> None:
        around = self._open[-1]
        kind, left = around
        if left == 0:
            self._open.pop()
            return
        around[1] -= left > 0
        mark = self._take(1)
        if left < 0 and mark == (b"}" if kind == OBJECT else b"]"):
            self._open.pop()
            return
        if kind == OBJECT:
            self._skip(self._number(mark))  # the member's name
            mark = self._take(1)
        self._value(mark)

    def _value(self, mark: bytes) -> None:
        if mark == b"{":
            self._enter(OBJECT)
        elif mark == b"[":
            self._array()
        elif mark in (b"S", b"H"):
            self._skip(self._number(self._take(1)))
        elif mark in SIZES:
            self._skip(SIZES[mark])
        elif mark not in EMPTY:
            raise NotUbjson(f"it has a value of an unknown kind, {ascii(mark)[1:]}")

    def _array(self) -> None:
        """An array is open, or says the kind and number of its items first."""
        mark = self._take(1)
        if mark == b"#":
            self._enter(ARRAY, self._number(self._take(1)))
            return
        if mark != b"$":
            self._stream.seek(-1, 1)
            self._enter(ARRAY)
            return
        kind = self._take(1)
        if kind not in SIZES or self._take(1) != b"#":
            raise NotUbjson("it has an array of an unknown kind")
        self._skip(self._number(self._take(1)) * SIZES[kind])

    def _enter(self, kind: int, items: int = -1) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise NotUbjson("it is nested too deeply")
        self._open.append([kind, items])

    def _number(self, mark: bytes) -> int:
        if mark not in WHOLE:
            raise NotUbjson("it has a length that is no whole number")
        number = int.from_bytes(self._take(SIZES[mark]), "big", signed=mark != b"U")
        if number < 0:
            raise NotUbjson("it has a negative length")
        return number

    def _skip(self, size: int) -> None:
        if self._stream.tell() + size > self._size:
            raise NotUbjson("it is cut off")
        self._stream.seek(size, 1)

    def _take(self, size: int) -> bytes:
        taken = self._stream.read(size)
        if len(taken) != size:
            raise NotUbjson("it is cut off")
        return taken


def check(stream: IO[bytes]) -> None:
    """Raise :class:`NotUbjson` unless ``stream`` is one whole UBJSON object."""
    size = stream.seek(0, 2)
    stream.seek(0)
    Reader(stream, size).follow()
