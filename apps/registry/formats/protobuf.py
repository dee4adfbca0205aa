"""Walks through a protobuf message in a stream: what nobody asks for is passed over, not read.

https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from typing import IO

MAX_FIELDS = 200_000  # 0.1 s; large graphs have some ten thousand
MAX_TEXT, MAX_TEXTS = 4096, 4 << 20  # bytes: of one text, and of all
MAX_STREAMED = 256 << 20  # what is read to be passed over, where a stream cannot seek
_PIECE = 1 << 20
_FIXED = {1: 8, 5: 4}


class NotProtobuf(Exception):
    """The bytes are no message."""


class MessageTooLarge(Exception):
    """The message has more in it than is read here."""


class Message:
    """A message of ``size`` bytes, read once from its start."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self.size, self._place = stream, size, 0
        self._fields, self._texts, self._streamed = MAX_FIELDS, MAX_TEXTS, MAX_STREAMED
        self._seekable = stream.seekable()

    def fields(self, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield number, value and end of each field up to ``end``.

        A field without an end is a number. The content of one with an end is for the caller to
        walk through or take, until the next is asked for.
        """
        while self._place < end:
            self._fields -= 1
            if self._fields < 0:
                raise MessageTooLarge
            key = self._varint()
            number, wire, value, stop = key >> 3, key & 7, 0, 0
            if wire == 0:
                value = self._varint()
            elif wire == 2:
                length = self._varint()
                stop = self._place + length
            elif wire in _FIXED:
                self._pass(_FIXED[wire], end)
            if number == 0 or wire not in {0, 1, 2, 5} or max(self._place, stop) > end:
                raise NotProtobuf
            yield number, value, stop
            if stop > self._place:
                self._pass(stop - self._place, end)

    def text(self, stop: int) -> str:
        """Take the content of the field that ends at ``stop`` as text."""
        length = stop - self._place
        self._texts -= length
        if length > MAX_TEXT or self._texts < 0:
            raise MessageTooLarge
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise NotProtobuf from None

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF
        raise NotProtobuf

    def _take(self, length: int) -> bytes:
        taken = self._stream.read(length)
        if len(taken) < length:
            raise NotProtobuf
        self._place += length
        return taken

    def _pass(self, length: int, end: int) -> None:
        if self._place + length > end or end > self.size:
            raise NotProtobuf
        if self._seekable:
            self._stream.seek(length, 1)
            self._place += length
            return
        self._streamed -= length
        if self._streamed < 0:
            raise MessageTooLarge
        while length > 0:
            length -= len(self._take(min(length, _PIECE)))
