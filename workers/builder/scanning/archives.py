"""Refuses archives that two readers could read differently, before one of them is believed.

A zip has a directory at its end and a header before each member; a loader may go by either, find
another directory than we do, or start behind bytes that it takes for a script. Here everything
must agree: one directory, at the end, that names each member once, where it stands, one behind the
other from the first byte on. (APPNOTE 6.3.10, sections 4.3 to 4.5.)
"""

import bz2
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from workers.builder.scanning.report import is_of_the_machine

END, LOCAL, CENTRAL = b"PK\x05\x06", b"PK\x03\x04", b"PK\x01\x02"
END64, LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
DESCRIPTOR = b"PK\x07\x08"
MAX_COMMENT = 65_535
FAR = 128 << 10  # nobody looks for an end before that many bytes: zipimport of 3.13 at 65,633
MAX_DIRECTORY = 64 << 20
MAX_FIELDS = 64  # beside a member: those who write zips know some ten
ENCRYPTED, STREAMED = 0x1, 0x8
STORED, DEFLATED, BZIP2 = 0, 8, 12  # whatever it is, zipimport takes it for deflated
MARKS = (END, END64, LOCATOR64)
ENDS64 = 56 + 20  # bytes of a second end and of what leads to it
ZIP64_EXTRA, FULL32, FULL16 = 1, 0xFFFFFFFF, 0xFFFF
SECOND_NAME = 0x7075  # zipfile goes by it, zipimport does not
BLOCK = 512
MAX_BETWEEN, MAX_HEADERS = 2 << 20, 64 << 20  # bytes of headers of a tar: before a member, and all
MAX_GLOBAL = 1000  # settings of a tar that hold for all members: each has a copy of them
MAX_EXPANDED = 8 * 1024**3
CHUNK = 1 << 20


class Disagreement(Exception):
    """Two readers could see different things in this archive."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member as the directory has it; ``start`` is the place of its own header."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    start: int


def has_end(stream: IO[bytes]) -> bool:
    """Tell whether an end of a zip stands where readers look for one. ``zipfile.is_zipfile`` denies
    it of one whose second end is odd, which zipimport and older Pythons open."""
    stream.seek(max(stream.seek(0, 2) - FAR, 0))
    return END in stream.read()


def refuse_crowded(stream: IO[bytes], members: int) -> None:
    """Raise :class:`Disagreement` where a directory of more members may stand anywhere, or of one
    with countless extra fields: whoever reads one makes a few hundred bytes of each, whatever the
    end says of their number, and zipfile copies what is left of the fields behind each."""
    for count, place in enumerate(_central(stream), 1):
        if count > members:
            raise Disagreement("it may hold too many members")
        stream.seek(place + 28)
        name, extra = struct.unpack("<HH", stream.read(4).ljust(4, b"\0"))
        stream.seek(place + 46 + name)
        if extra > 4 * MAX_FIELDS and _has_more_fields(stream.read(extra)):
            raise Disagreement("a member may have too many extra fields")


def _central(stream: IO[bytes]) -> Iterator[int]:
    """Yield where a member of a directory may begin."""
    here, before = 0, b""
    while piece := _read_at(stream, here, CHUNK):
        part = before + piece
        at = part.find(CENTRAL)
        while at >= 0:
            yield here - len(before) + at
            at = part.find(CENTRAL, at + 1)
        here, before = here + len(piece), part[-(len(CENTRAL) - 1) :]


def _read_at(stream: IO[bytes], place: int, size: int) -> bytes:
    stream.seek(place)
    return stream.read(size)


def _has_more_fields(extra: bytes) -> bool:
    offset = count = 0
    while offset + 4 <= len(extra) and count <= MAX_FIELDS:
        offset += 4 + int.from_bytes(extra[offset + 2 : offset + 4], "little")
        count += 1
    return count > MAX_FIELDS


def check_zip(stream: IO[bytes], most: int = MAX_EXPANDED) -> None:
    """Raise :class:`Disagreement` unless everybody reads the same members out of the zip, and these
    have ``most`` bytes together."""
    size = stream.seek(0, 2)
    end, count, begin = _directory(stream, size)
    if end - begin > MAX_DIRECTORY:
        raise Disagreement("its directory is too large")
    stream.seek(begin)
    directory = stream.read(end - begin)
    if any(mark in directory for mark in MARKS):
        raise Disagreement("it has more than one end")
    entries = list(_entries(directory))
    if len(entries) != count:
        raise Disagreement("its directory holds another number of members than its end says")
    _refuse_names(entries)
    if sum(entry.size for entry in entries) > most:
        raise Disagreement("its members are larger than is read here")
    reached = 0
    for entry in sorted(entries, key=lambda entry: entry.start):
        if entry.start != reached:
            raise Disagreement(f"bytes that are no member stand at {min(reached, entry.start)}")
        reached = _member_end(stream, entry)
    if reached != begin:
        raise Disagreement("bytes that are no member stand before its directory")


def _directory(stream: IO[bytes], size: int) -> tuple[int, int, int]:
    """Return where the directory ends, how many members it has and where it begins."""
    stream.seek(max(size - MAX_COMMENT - 22 - ENDS64, 0))
    raw = stream.read()
    at = raw.rfind(END)  # everybody looks from behind; others may stand in members
    if at < 0:
        raise Disagreement("it has no end")
    if len(raw) < at + 22:
        raise Disagreement("its end is cut off")
    disk, first, here, count, length, begin, comment = struct.unpack_from("<HHHHIIH", raw, at + 4)
    if at + 22 + comment != len(raw) or disk or first or here != count:
        raise Disagreement("something stands behind its end")
    if any(mark in raw[at + 22 :] for mark in MARKS):
        raise Disagreement("its comment looks like another end")
    end = size - len(raw) + at
    if at >= 20 and raw[at - 20 : at - 16] == LOCATOR64:
        return _directory64(stream, end - 20, count, begin, length)
    if at >= ENDS64 and raw[at - ENDS64 :].startswith(END64):  # zipimport of 3.13 asks no further
        raise Disagreement("a second end stands where some look for one")
    if count == FULL16 or FULL32 in (length, begin) or begin + length != end:
        raise Disagreement("its directory does not stand where its end says")
    return end, count, begin


def _directory64(
    stream: IO[bytes], locator: int, count: int, begin: int, length: int
) -> tuple[int, int, int]:
    """The same for archives above 4 GiB or 65,535 members, and for those that torch writes. Who
    does not know of a second end looks for the directory so far before the first."""
    stream.seek(locator)
    _, disk, offset, disks = struct.unpack("<4sIQI", stream.read(20))
    if disk or disks > 1 or offset + 56 != locator:
        raise Disagreement("its second end does not stand where it should")
    stream.seek(offset)
    record = struct.unpack("<4sQHHIIQQQQ", stream.read(56))
    if record[0] != END64 or record[1] != 44 or record[4] or record[5] or record[6] != record[7]:
        raise Disagreement("its second end is not whole")
    count64, length64, begin64 = record[7], record[8], record[9]
    if count not in (FULL16, count64) or begin not in (FULL32, begin64):
        raise Disagreement("its two ends say different things")
    if length not in (FULL32, length64):
        raise Disagreement("its two ends say different things")
    stream.seek(max(locator + 20 - length, 0))
    if length != FULL32 and stream.read(4) == CENTRAL:
        raise Disagreement("its directory also begins behind its first member")
    if begin64 + length64 != offset:
        raise Disagreement("its directory does not stand where its end says")
    return offset, count64, begin64


def _entries(raw: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(raw):
        if raw[at : at + 4] != CENTRAL or len(raw) < at + 46:
            raise Disagreement("its directory is not whole")
        flags, method, _, crc, packed, size = struct.unpack_from("<HHIIII", raw, at + 8)
        name, extra, comment = struct.unpack_from("<HHH", raw, at + 28)
        disk, start = struct.unpack_from("<H6xI", raw, at + 34)
        end = at + 46 + name + extra + comment
        if end > len(raw) or disk:
            raise Disagreement("its directory is not whole")
        wide = _wide(raw[at + 46 + name : at + 46 + name + extra], (size, packed, start))
        yield Entry(raw[at + 46 : at + 46 + name], flags, method, crc, wide[1], wide[0], wide[2])
        at = end


def _wide(extra: bytes, numbers: tuple[int, ...]) -> list[int]:
    """Return the numbers, those that do not fit in 32 bits from the extra field."""
    values, offset, more = list(numbers), 0, b""
    while offset + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, offset)
        if kind == SECOND_NAME:
            raise Disagreement("a member has a second name")
        if kind == ZIP64_EXTRA:
            if more:
                raise Disagreement("a member has its size twice")
            more = extra[offset + 4 : offset + 4 + length]
        offset += 4 + length
    for position, number in enumerate(values):
        if number == FULL32:
            if len(more) < 8:
                raise Disagreement("a member's size is missing")
            values[position], more = int.from_bytes(more[:8], "little"), more[8:]
    return values


def _refuse_names(entries: list[Entry]) -> None:
    seen: set[bytes] = set()
    for entry in entries:
        name = entry.name.rstrip(b"/").replace(b"\\", b"/")
        if not name or b"\0" in name or name.startswith(b"/") or b".." in name.split(b"/"):
            raise Disagreement("a member's name leads elsewhere")
        if name in seen:
            raise Disagreement("two members have one name")
        seen.add(name)


def _member_end(stream: IO[bytes], entry: Entry) -> int:
    """Return where a member ends; its own header must say what the directory says."""
    stream.seek(entry.start)
    raw = stream.read(30)
    if len(raw) < 30 or raw[:4] != LOCAL:
        raise Disagreement("a member does not stand where the directory says")
    flags, method, _, crc, packed, size, name, extra = struct.unpack_from("<HHIIIIHH", raw, 6)
    if stream.read(name) != entry.name or (flags, method) != (entry.flags, entry.method):
        raise Disagreement("a member's header says another thing than the directory")
    if entry.flags & ENCRYPTED or entry.method not in (STORED, DEFLATED, BZIP2):
        raise Disagreement("a member is encrypted, or packed in a way that is not read here")
    own = _wide(stream.read(extra), (size, packed))
    _refuse_more(stream, entry)
    end: int = entry.start + 30 + name + extra + entry.packed
    streamed = bool(flags & STREAMED)
    if (crc, own[1], own[0]) == (entry.crc, entry.packed, entry.size):
        return end + (_descriptor(stream, end, entry) if streamed else 0)
    if streamed and (crc, packed, size) in {(0, 0, 0), (0, FULL32, FULL32)}:
        return end + _descriptor(stream, end, entry)
    raise Disagreement("a member's header says another thing than the directory")


def _refuse_more(stream: IO[bytes], entry: Entry) -> None:
    """Hold a member, which ``stream`` stands at, against the size that the directory gives it:
    zipimport asks for none and takes all that is packed."""
    stored = entry.method == STORED
    if not (entry.packed == entry.size if stored else _inflates(stream, entry)):
        raise Disagreement("a member has another size than the directory says")


def _inflates(stream: IO[bytes], entry: Entry) -> bool:
    """Tell whether a member unpacks to its size, and ends where it is said to."""
    left, grown = entry.packed, 0
    unpack = zlib.decompressobj(-15) if entry.method == DEFLATED else bz2.BZ2Decompressor()
    try:
        while left and grown <= entry.size and not unpack.eof:
            raw = stream.read(min(left, CHUNK))
            left = left - len(raw) if raw else 0
            grown += _length(unpack, raw, entry.size - grown)
    except zlib.error:
        return False
    except OSError as error:
        if is_of_the_machine(error):
            raise
        return False  # bz2 says so
    return unpack.eof and not unpack.unused_data and (left, grown) == (0, entry.size)


def _length(unpack: Any, raw: bytes, most: int) -> int:
    """Return how many bytes ``raw`` unpacks to, as far as these are no more than ``most``."""
    grown, piece = 0, b"first"
    while (raw or piece) and grown <= most and not unpack.eof:
        piece = unpack.decompress(raw, CHUNK)
        grown += len(piece)
        raw = getattr(unpack, "unconsumed_tail", b"")  # bz2 keeps what it did not come to
    return grown


def _descriptor(stream: IO[bytes], offset: int, entry: Entry) -> int:
    """Return the length of what follows a member that was written without knowing its size."""
    stream.seek(offset)
    raw = stream.read(24)
    for form in ("<4sIII", "<4sIQQ", "<III", "<IQQ"):
        length = struct.calcsize(form)
        if len(raw) < length:
            continue
        parts = struct.unpack_from(form, raw)
        named = len(parts) == 3 or parts[0] == DESCRIPTOR
        if named and parts[-3:] == (entry.crc, entry.packed, entry.size):
            return length
    raise Disagreement("what follows a member says another thing than the directory")


class ShortReads:
    """An archive to read from: tarfile reads a header of any length whole, zipfile a directory, and
    both members in pieces."""

    def __init__(self, stream: IO[bytes], most: int = CHUNK, what: str = "header") -> None:
        self._stream, self.tell, self.seek = stream, stream.tell, stream.seek
        self._most, self._what = most, what

    def seekable(self) -> bool:
        """Tell zipfile that it may go to and fro."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes. Raises :class:`Disagreement` where those are too many."""
        if size > self._most:
            raise Disagreement(f"it has a {self._what} that is too long")
        return self._stream.read(size)


class Headers(ShortReads):
    """A tar to read from, and how much of it was read for its headers: some are a list that goes on
    block by block."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self._between = self._all = 0

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes. Raises :class:`Disagreement` where headers have more."""
        data = super().read(size)
        self._between += len(data)
        if self._between > MAX_BETWEEN or self._all + self._between > MAX_HEADERS:
            raise Disagreement("it has headers that are too long")
        return data

    def members(self, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        """Yield the members of a tar. None is kept, with all that its headers said; what is read
        until the next one is asked for is no header."""
        while (entry := archive.next()) is not None:
            if len(archive.pax_headers) > MAX_GLOBAL:
                raise Disagreement("it has too many global headers")
            archive.members.clear()  # type: ignore[attr-defined]
            self._all += self._between
            self._between = -MAX_EXPANDED
            yield entry
            self._between = 0


def check_tar_end(stream: IO[bytes], end: int) -> None:
    """Raise :class:`Disagreement` unless nothing but zeros stands from ``end`` on, two blocks of
    them at least: a reader that goes on behind the end would find more."""
    size = stream.seek(0, 2)
    if size - end < 2 * BLOCK:
        raise Disagreement("it has no end")
    stream.seek(end)
    while piece := stream.read(1 << 20):
        if piece.strip(b"\0"):
            raise Disagreement("something stands behind its end")
