"""What is a text that can be read aloud, and which texts have their readers open something else."""

import codecs
import json
import re
from typing import IO, Any

from placet_verify.canonical import weight

MAX_PARSED = 1 << 30  # bytes of memory: half of what a scan has
CHUNK = 1 << 20
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f") | {"\x7f"}
# XML 1.0, 2.8 and 4.2.2: how an encoding is declared, and an entity that stands elsewhere.
ENCODED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)[\"']")
BLANKS, MAX_DECLARATION = re.compile(rb"\s+"), 1024
EXTERNAL = re.compile(rb"\s(?:SYSTEM|PUBLIC)\s|<!ENTITY\s+%")  # one of "%" may write another
PLAINLY = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"})


def is_text(
    stream: IO[bytes], without: frozenset[str] = frozenset(), encoding: str = "utf-8"
) -> bool:
    """Tell whether all of it can be decoded, and has none of the letters to be ``without``."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while piece := stream.read(CHUNK):
            if without.intersection(decoder.decode(piece)):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def parsed(raw: bytes, encoding: str = "", **how: Any) -> Any:
    """Read JSON as ``json.loads`` does, in one ``encoding`` alone where it is given.

    Raises ``ValueError`` also where what is made of it would take more than ``MAX_PARSED``: then
    nothing else would be scanned.
    """
    if weight(raw) > MAX_PARSED:
        raise ValueError("it takes too much memory")
    return json.loads(raw.decode(encoding) if encoding else raw, **how)


def is_plain(stream: IO[bytes]) -> bool:
    """Tell whether all of it is text that can be read aloud: UTF-8 without control characters."""
    return is_text(stream, _CONTROLS)


def reads_elsewhere(stream: IO[bytes]) -> bool:
    """Tell whether a text is XML that names another file, or may: pandas' ``read_xml`` resolves
    that with lxml before 5.0 (lxml ``CHANGES.txt``, "resolve_entities"), whatever it is called."""
    stream.seek(0)
    head = b""
    while not head and (piece := stream.read(CHUNK)):
        head = _narrow(piece).lstrip(b" \t\r\n\xef\xbb\xbf\xff\xfe")
    if not head.startswith(b"<"):
        return False
    if head.startswith(b"<?xml") and b">" not in head[:MAX_DECLARATION]:
        return True
    declared = ENCODED.match(head)
    if declared and declared[1].lower() not in PLAINLY:
        return True
    stream.seek(0)
    before, has_entity = b"", False
    while piece := stream.read(CHUNK):
        part = BLANKS.sub(b" ", before + _narrow(piece))
        if not has_entity and (start := part.find(b"<!ENTITY")) >= 0:
            has_entity, part = True, part[start:]
        if has_entity and EXTERNAL.search(part):
            return True
        before = part[-64:]
    return False


def _narrow(piece: bytes) -> bytes:
    """Return what is written in two or four bytes a letter, in one."""
    return piece.replace(b"\0", b"")


def is_table(stream: IO[bytes]) -> bool:
    """Tell whether all of it can be read aloud as spreadsheets write tables that are not UTF-8."""
    stream.seek(0)
    wide = stream.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    return is_text(stream, _CONTROLS, "utf-16" if wide else "cp1252")
