"""Pictures, sound, documents and tables that lie beside models: whether each is one whole file.

None of :mod:`loaders` goes by their endings or first bytes. What else such a file is (a pickle, an
archive, a model of trees) is asked of every file; here it is held to its own structure, so that
nothing of another kind stands behind it.
"""

from collections.abc import Callable
from typing import IO

from workers.builder.scanning.known import words
from workers.builder.scanning.spread import SECRET

CHUNK = 1 << 20
MAX_PARTS = 1_000_000
TABLES = words(".arrow .arrows .feather")
MAX_MESSAGE = 64 << 20
MESSAGE, SCHEMA, BATCHES = b"\xff\xff\xff\xff", 1, {2, 3}  # begins one; what it holds (Message.fbs)
TIFF = {b"II*\0": "little", b"MM\0*": "big"}
BIG_TIFF = {b"II+\0": "little", b"MM\0+": "big"}
ITEM, BIG_ITEM = 12, 20  # bytes of an entry of their directories


class NotWhole(Exception):
    """The file is not one whole file of its kind."""


def holds(stream: IO[bytes], word: bytes) -> bool:
    """Tell whether a word stands anywhere in a file."""
    stream.seek(0)
    before = b""
    while piece := stream.read(CHUNK):
        if word in before + piece:
            return True
        before = piece[-len(word) :]
    return False


def _begins(stream: IO[bytes], count: int, *starts: bytes) -> bytes:
    stream.seek(0)
    head = stream.read(count)
    if not head.startswith(starts) or len(head) < count:
        raise NotWhole("it does not begin so")
    return head


def _size(stream: IO[bytes]) -> int:
    return stream.seek(0, 2)


def _number(data: bytes, order: str = "little") -> int:
    return int.from_bytes(data, "little" if order == "little" else "big")


def pdf(stream: IO[bytes]) -> None:
    """ISO 32000-2, 7.5: a header, and an end that says where the table of objects stands."""
    _begins(stream, 8, b"%PDF-1.", b"%PDF-2.")
    size = _size(stream)
    stream.seek(max(size - 1024, 0))
    before, marker, behind = stream.read().rpartition(b"%%EOF")
    if not marker or behind.strip(b"\r\n \0"):
        raise NotWhole("it does not end as a PDF does (%%EOF): it is cut off, or more was added")
    if b"startxref" not in before:
        raise NotWhole("it lacks startxref at its end, so it does not say where its contents are")


def riff(kind: bytes) -> Callable[[IO[bytes]], None]:
    """Microsoft's RIFF: parts that say how long they are, in one that does as well."""

    def whole(stream: IO[bytes]) -> None:
        head = _begins(stream, 12, b"RIFF")
        size = _size(stream)
        if head[8:] != kind or _number(head[4:8]) + 8 != size:
            raise NotWhole("it is of another kind or length")
        offset, parts = 12, 0
        while offset < size:
            stream.seek(offset)
            part = stream.read(8)
            length = _number(part[4:])
            if len(part) < 8 or offset + 8 + length > size or parts > MAX_PARTS:
                raise NotWhole("a part of it is cut off")
            offset, parts = offset + 8 + length + length % 2, parts + 1

    return whole


def bmp(stream: IO[bytes]) -> None:
    """Microsoft's BITMAPFILEHEADER and BITMAPINFOHEADER: both say how long they are."""
    head = _begins(stream, 30, b"BM")
    start, inner = _number(head[10:14]), _number(head[14:18])
    size = _size(stream)
    if _number(head[2:6]) != size or not 14 + inner <= start <= size or head[6:10] != bytes(4):
        raise NotWhole("it is of another length")


def tiff(stream: IO[bytes]) -> None:
    """TIFF 6.0, section 2: a chain of directories, each inside of the file. BigTIFF has the same
    with longer numbers (libtiff's "The BigTIFF File Format")."""
    head, size = _begins(stream, 8, *TIFF, *BIG_TIFF), _size(stream)
    order = (TIFF | BIG_TIFF)[head[:4]]
    first, counts, item, width = 4, 2, ITEM, 4
    if head[:4] in BIG_TIFF:
        if (_number(head[4:6], order), _number(head[6:], order)) != (8, 0):
            raise NotWhole("its places are of another length")
        first, counts, item, width = 8, 8, BIG_ITEM, 8
    stream.seek(first)
    offset, seen = _number(stream.read(width), order), set[int]()
    while offset:
        stream.seek(min(offset, size))
        count = _number(stream.read(counts), order)
        end = offset + counts + count * item
        if len(seen) > MAX_PARTS or not count or end + width > size:
            raise NotWhole("a directory of it leads outside, or it has too many")
        if offset * SECRET in seen or offset < first + width:
            raise NotWhole("a directory of it leads outside or in a circle")
        seen.add(offset * SECRET)
        stream.seek(end)
        offset = _number(stream.read(width), order)
    if not seen:
        raise NotWhole("it has no directory")


def arrow(stream: IO[bytes]) -> None:
    """Arrow's columnar format, "IPC File Format": magic at both ends, and a footer's length.
    Feather's first version differs in the magic, and a stream has none."""
    stream.seek(0)
    if stream.read(4) == MESSAGE:
        _arrow_stream(stream)
        return
    head = _begins(stream, 8, b"ARROW1\0\0", b"FEA1")
    magic = head[:6] if head.startswith(b"ARROW1") else head[:4]
    size = _size(stream)
    stream.seek(max(size - 4 - len(magic), 0))
    end = stream.read()
    if not end.endswith(magic) or not 0 < _number(end[:4]) <= size - 8 - 4 - len(magic):
        raise NotWhole("it has no end, or a footer that is longer than it")


def _arrow_stream(stream: IO[bytes]) -> None:
    """The same, "IPC Streaming Format": messages, the first with the schema, and one of no length
    as the end. Each is as long as it says, and the body behind it too."""
    size, offset, parts = _size(stream), 0, 0
    while True:
        stream.seek(offset)
        mark, length = stream.read(4), _number(stream.read(4))
        if mark != MESSAGE or length > MAX_MESSAGE or parts > MAX_PARTS:
            raise NotWhole("a part of it is cut off")
        if not length:
            break
        kind, body = _arrow_message(stream.read(length))
        if kind not in (BATCHES if parts else {SCHEMA}):
            raise NotWhole("it is not a schema and what belongs to that")
        offset, parts = min(offset + 8 + length + body, size), parts + 1
    if offset + 8 != size or not parts:
        raise NotWhole("it has no end, or something stands behind it")


def _arrow_message(data: bytes) -> tuple[int, int]:
    """Return what a message holds, and how many bytes of body follow: the second and the fourth
    field of a FlatBuffers table, whose places stand where it says ("FlatBuffers internals")."""

    def at(place: int, width: int) -> int:
        if not 0 <= place <= len(data) - width:
            raise NotWhole("a part of it leads outside")
        return _number(data[place : place + width])

    table = at(0, 4)
    places = table - (at(table, 4) ^ 1 << 31) + (1 << 31)  # a number with a sign
    kind, body = (at(places + n, 2) if at(places, 2) > n else 0 for n in (6, 10))
    return at(table + kind, 1), at(table + body, 8) if body else 0


def desktop(stream: IO[bytes]) -> None:
    """The Finder's notes on a folder: a buddy allocator, whose root stands in the file."""
    head = _begins(stream, 36, b"\0\0\0\1Bud1")
    root, length, again = (_number(head[n : n + 4], "big") for n in (8, 12, 16))
    if root != again or root + length + 4 > _size(stream):
        raise NotWhole("it is cut off")


# ``.mp3``, ``.mp4`` and the like have no end of their own and so are not read.
WHOLE: dict[str, Callable[[IO[bytes]], None]] = {
    ".pdf": pdf,
    ".webp": riff(b"WEBP"),
    ".wav": riff(b"WAVE"),
    ".bmp": bmp,
    ".tif": tiff,
    ".tiff": tiff,
    ".ds_store": desktop,
    **dict.fromkeys(TABLES, arrow),
}
