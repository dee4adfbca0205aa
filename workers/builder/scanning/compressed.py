"""Compressed files as streams to read from: each says whether something stands behind its end."""

import bz2
import contextlib
import copy
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

CHUNK = 1 << 20
# What is read at once: of a piece that an error comes in nothing is given, and no loader asks for
# smaller ones. What is left of one stream is copied for the next.
PIECE = 1 << 12
MAX_DICTIONARY = 256 << 20  # bytes of memory that LZMA may take: 65 MiB at its best
GZIP, SUM, EXTRA, NAME, COMMENT = b"\x1f\x8b\x08", 2, 4, 8, 16  # of a header (RFC 1952)
TOO_LARGE = "Memory usage limit exceeded"  # says liblzma's wrapper of more
STREAMS = "holds more streams, one behind the other, than are read here"
MAX_STREAMS = 200_000  # one behind the other: bgzip makes 130,000 of as much as is ever read
BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)
_unlzma = partial(lzma.LZMADecompressor, memlimit=MAX_DICTIONARY)
# A byte is asked of each: whoever reads on may meet an error that comes later. gzip is not among
# them, since readers differ over its header.
FIRST: dict[str, Callable[[], Any]] = {
    "joblib zlib": zlib.decompressobj,
    "joblib bz2": bz2.BZ2Decompressor,
    "joblib lzma": _unlzma,
    "joblib xz": _unlzma,
}


class TooMany(Exception):
    """More streams stand one behind the other than are read here."""


class _Zlib:
    """A zlib stream as a file to read from."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._inflate = stream, zlib.decompressobj()

    def __enter__(self) -> "_Zlib":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    @property
    def trailing(self) -> bool:
        """Tell whether bytes stand behind the end."""
        return bool(self._inflate.unused_data or self._stream.read(1))

    def read1(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        while not self._inflate.eof:
            raw = self._inflate.unconsumed_tail or self._stream.read(PIECE)
            if not raw:
                raise EOFError("cut off")
            if piece := self._inflate.decompress(raw, size):
                return piece
        return b""


class _Streams:
    """Streams of bz2 or LZMA one behind the other, as a file to read from. Python's own leave what
    is no stream behind them unread and say nothing, where other readers go on."""

    def __init__(self, stream: IO[bytes], begin: Callable[[], Any]) -> None:
        self._stream, self._begin = stream, begin
        self._machine, self.trailing, self._count = begin(), False, 1

    def __enter__(self) -> "_Streams":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def read1(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        while not self.trailing:
            ended, raw = self._machine.eof, self._machine.unused_data
            if not raw and (ended or self._machine.needs_input):
                raw = self._stream.read(PIECE)
            if ended:
                if not raw:
                    return b""
                self._count += 1
                if self._count > MAX_STREAMS:
                    raise TooMany
                self._machine = self._begin()
            elif self._machine.needs_input and not raw:
                raise EOFError("cut off")
            try:
                piece: bytes = self._machine.decompress(raw, size)
            except BROKEN:
                if not ended:
                    raise
                self.trailing = True
                return b""
            if piece:
                return piece
        return b""


class _Gzip:
    """Streams of gzip one behind the other, as Python reads them: it asks for no sum of a header.
    Names in headers, and zeros by which whoever writes tapes or blocks fills up what is left, have
    any length: Python reads them byte by byte."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left, self._count = stream, b"", 0
        self._sum = self._size = 0
        self._begin()

    def __enter__(self) -> "_Gzip":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def read1(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        while not self._inflate.eof or self._goes_on():
            raw = self._left or self._stream.read(PIECE)
            piece = self._inflate.decompress(raw, size)
            self._left = self._inflate.unused_data or self._inflate.unconsumed_tail
            if piece:
                self._sum, self._size = zlib.crc32(piece, self._sum), self._size + len(piece)
                return piece
            if not raw:
                raise EOFError("cut off")
        return b""

    def _goes_on(self) -> bool:
        """Hold a stream against its sum; tell whether another stands behind it."""
        if struct.unpack("<II", self._take(8)) != (self._sum, self._size & 0xFFFFFFFF):
            raise gzip.BadGzipFile("another sum")
        while not (rest := self._left.lstrip(b"\0")) and (piece := self._stream.read(PIECE)):
            self._left = piece
        self._left = rest
        if rest:
            self._begin()
        return bool(rest)

    def _begin(self) -> None:
        self._count += 1
        if self._count > MAX_STREAMS:
            raise TooMany
        head = self._take(10)
        if not head.startswith(GZIP):
            raise gzip.BadGzipFile("no gzip")
        if head[3] & EXTRA:
            self._take(int.from_bytes(self._take(2), "little"))
        for _ in range((head[3] & NAME > 0) + (head[3] & COMMENT > 0)):
            while (end := self._left.find(b"\0")) < 0:
                self._left = self._read_on()
            self._left = self._left[end + 1 :]
        self._take(2 * (head[3] & SUM > 0))
        self._inflate, self._sum, self._size = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0

    def _take(self, count: int) -> bytes:
        while len(self._left) < count:
            self._left += self._read_on()
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def _read_on(self) -> bytes:
        piece = self._stream.read(PIECE)
        if not piece:
            raise EOFError("cut off")
        return piece


OPENERS: dict[str, Callable[[IO[bytes]], Any]] = {
    "joblib zlib": _Zlib,
    "joblib gzip": _Gzip,
    "joblib bz2": lambda stream: _Streams(stream, bz2.BZ2Decompressor),
    "joblib lzma": lambda stream: _Streams(stream, _unlzma),
    "joblib xz": lambda stream: _Streams(stream, _unlzma),
}


def in_pieces(plain: Any, size: int = PIECE) -> Iterator[bytes]:
    """Yield what a file gives, all of it that comes before an error."""
    return iter(partial(plain.read1, size), b"")


def unzipped(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield what a member gives, and hold its sum against it at last: not everybody does."""
    unsummed, total = copy.copy(entry), 0
    del unsummed.CRC
    stored = entry.compress_type == zipfile.ZIP_STORED
    with archive.open(unsummed) as member:
        for piece in in_pieces(member, CHUNK if stored else PIECE):
            total = zlib.crc32(piece, total)
            yield piece
    if total != entry.CRC:
        raise zipfile.BadZipFile("a member has another sum than its own")


def begins(opener: str, stream: IO[bytes]) -> bool:
    """Tell whether anything can be read out of what begins like a compressed file.

    The length before a header of safetensors can be 0x178, which is how zlib begins.
    """
    stream.seek(0)
    if opener == "joblib, before 0.10":  # joblib reads the length behind "ZF", in sixteens
        with contextlib.suppress(ValueError):
            return int(stream.read(21)[2:], 16) >= 0
        return False
    machine = FIRST.get(opener, zlib.decompressobj)()
    while opener in FIRST and (piece := stream.read(CHUNK)):
        try:
            if machine.decompress(piece, 1) or machine.eof:
                return True
        except BROKEN as error:
            return TOO_LARGE in str(error)  # somebody with more memory reads it
    return opener not in FIRST
