"""Reads a few members of a large JSON object from a stream; what nobody asks for is passed over.

What is passed over is held against itself only as far as finding its end needs: texts end,
brackets match. The build's scan reads all of it.
"""

import json
import re
from collections.abc import Iterator
from typing import IO, Any

PIECE = 64 * 1024
MAX_DEPTH, MAX_MEMBERS = 64, 200
MAX_VALUE, MAX_ITEMS = 512 * 1024, 20_000  # bytes of a value that is asked for, and what is in it
MAX_SLOW = 1 << 20  # bytes that are looked at one by one
MAX_COMPACT = 32 << 20  # marks that are paired off, counted each time that they are looked at
_SPACE = b" \t\r\n"
_MARKS = b'"[]{}'
_OTHERS = bytes(set(range(256)) - set(_MARKS))
_TEXT = re.compile(rb'"[^"]*"')
_OUTSIDE, _INSIDE = re.compile(rb'["\[\]{}]'), re.compile(rb'(?:[^"\\]+|\\.)*+', re.DOTALL)
_PLAIN = re.compile(rb"[^,\]}\s]*")
_OPENED = b"<"  # stands for the bracket that a value began with: nothing pairs with it


class NotJson(Exception):
    """The bytes are not JSON; the text says where."""


class JsonTooLarge(Exception):
    """The document has more in it than is read here."""


class JsonDocument:
    """A JSON document, read once from its start."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._buffer, self._place, self._line = stream, b"", 0, 1
        self._values = self._members = self._slow = self._compact = 0

    def members(self) -> Iterator[str]:
        """Enter an object and yield the name of each member. Its value is for the caller to read,
        or to enter, until the next is asked for."""
        self._values += 1
        self._expect(b"{")
        while (mark := self._next()) != b"}":
            self._members += 1
            if self._members > MAX_MEMBERS:
                raise JsonTooLarge
            name = self.value() if mark == b'"' else None
            if not isinstance(name, str):
                raise self._fault()
            self._expect(b":")
            before = self._values
            yield name
            if self._values == before:
                self.skip()
            if self._next() != b"}":
                self._expect(b",")
                if self._next() == b"}":
                    raise self._fault()
        self._expect(b"}")

    def starts_with(self, mark: bytes) -> bool:
        """Tell how the next value starts."""
        return self._next() == mark

    def value(self) -> Any:
        """Read the next value whole."""
        self._values += 1
        taken = bytearray()
        self._walk(self._next(), taken)
        if sum(map(taken.count, b",[{")) > MAX_ITEMS:
            raise JsonTooLarge
        try:
            return json.loads(bytes(taken))
        except (ValueError, RecursionError):
            raise self._fault() from None

    def skip(self) -> None:
        """Pass over the next value."""
        self._values += 1
        self._walk(self._next(), None)

    def end(self) -> None:
        """Refuse whatever stands behind the document."""
        while self._fill():
            if self._buffer[self._place :].strip(_SPACE):
                raise self._fault()
            self._drop(len(self._buffer))

    def _fault(self) -> NotJson:
        return NotJson(f"not valid JSON at line {self._line + self._lines(self._place)}")

    def _lines(self, end: int) -> int:
        return self._buffer.count(b"\n", 0, end)

    def _fill(self) -> bool:
        """Have something to look at; tell whether there is any."""
        if self._place < len(self._buffer):
            return True
        self._drop(self._place)
        self._buffer = self._stream.read(PIECE)
        return bool(self._buffer)

    def _drop(self, end: int) -> None:
        self._line += self._lines(end)
        self._buffer, self._place = self._buffer[end:], 0

    def _next(self) -> bytes:
        """Return the next byte that is no space; it stays the next."""
        while self._fill():
            rest = self._buffer[self._place :].lstrip(_SPACE)
            self._place = len(self._buffer) - len(rest)
            if rest:
                return rest[:1]
        raise self._fault()

    def _expect(self, mark: bytes) -> None:
        if self._next() != mark:
            raise self._fault()
        self._place += 1

    def _walk(self, mark: bytes, taken: bytearray | None) -> None:
        """Go behind the value that begins with ``mark``; ``taken`` gets its bytes."""
        if mark not in b'[{"':
            return self._plain(taken)
        self._step(1, taken)
        if mark == b'"':
            return self._rest_of_text(taken)
        closes = {b"[": b"]", b"{": b"}"}[mark]
        state = _OPENED
        while taken is None:
            self._drop(self._place)
            if len(self._buffer) < PIECE:
                self._buffer += self._stream.read(PIECE)
            paired = self._paired(state)
            if paired is None:
                break
            state, self._place = paired
        self._one_by_one(state, closes, taken)
        return None

    def _paired(self, state: bytes) -> tuple[bytes, int] | None:
        """Return the brackets that are open behind the buffer, and how far it was read.

        ``None`` when it has to be looked at one by one: the value ends in it, or a text has
        escapes or is longer than it.
        """
        if b"\\" in self._buffer:
            return None
        end = len(self._buffer)
        if self._buffer.count(b'"') % 2:
            end = self._buffer.rindex(b'"')
        if end == 0:
            return None
        marks = self._buffer[:end].translate(None, _OTHERS).replace(b'""', b"")
        if b'"' in marks:
            marks = _TEXT.sub(b"", marks)
        state += marks
        before = b""
        while state != before:
            self._compact += len(state)
            if self._compact > MAX_COMPACT:
                raise JsonTooLarge
            before, state = state, state.replace(b"[]", b"").replace(b"{}", b"")
        if state[1:2] in (b"]", b"}"):
            return None
        if b"]" in state or b"}" in state:
            raise self._fault()
        if len(state) > MAX_DEPTH:
            raise JsonTooLarge
        return state, end

    def _one_by_one(self, state: bytes, closes: bytes, taken: bytearray | None) -> None:
        waiting = [b"]" if mark == b"["[0] else b"}" for mark in state[1:]]
        waiting.insert(0, closes)
        opened = 0
        while waiting:
            mark = self._until(_OUTSIDE, taken)
            if mark == b'"':
                self._rest_of_text(taken)
            elif mark in (b"[", b"{"):
                waiting.append(b"]" if mark == b"[" else b"}")
                opened += taken is not None
                if len(waiting) > MAX_DEPTH or opened > MAX_ITEMS:
                    raise JsonTooLarge
            elif mark != waiting.pop():
                raise self._fault()

    def _rest_of_text(self, taken: bytearray | None) -> None:
        while self._fill():
            match = _INSIDE.match(self._buffer, self._place)
            self._step(match.end() - self._place if match else 0, taken)
            if self._place == len(self._buffer):
                continue
            ends = self._buffer[self._place] == b'"'[0]
            self._step(1, taken)
            if ends:
                return
            if not self._fill():
                break
            self._step(1, taken)  # what an escape at the buffer's end has behind it
        raise self._fault()

    def _until(self, marks: re.Pattern[bytes], taken: bytearray | None) -> bytes:
        """Go behind the next of ``marks`` and return it."""
        while self._fill():
            match = marks.search(self._buffer, self._place)
            if match:
                self._step(match.end() - self._place, taken)
                return match.group()
            self._step(len(self._buffer) - self._place, taken)
        raise self._fault()

    def _plain(self, taken: bytearray | None) -> None:
        """Go behind a number or one of the three words."""
        before = self._slow
        while self._fill():
            match = _PLAIN.match(self._buffer, self._place)
            length = match.end() - self._place if match else 0
            ends = self._place + length < len(self._buffer)
            self._step(length, taken)
            if ends or self._slow - before > 1000:
                break
        if self._slow == before:
            raise self._fault()

    def _step(self, length: int, taken: bytearray | None) -> None:
        self._slow += length
        if self._slow > MAX_SLOW or (taken is not None and len(taken) + length > MAX_VALUE):
            raise JsonTooLarge
        if taken is not None:
            taken += self._buffer[self._place : self._place + length]
        self._place += length
