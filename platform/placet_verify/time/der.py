"""DER (X.690), as much of it as time stamps need: definite, minimal lengths and nothing behind."""

from dataclasses import dataclass
from datetime import UTC, datetime

from placet_verify.errors import Malformed

BOOLEAN, INTEGER, BITS, OCTETS, NULL, OID, TIME = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x18
SEQUENCE, SET, TAGGED = 0x30, 0x31, 0xA0  # TAGGED + n: constructed, context-specific
EMPTY = b"\x05\x00"  # the value NULL


@dataclass(frozen=True, slots=True)
class Node:
    """One value: its identifier octet, its content, and all of its bytes."""

    tag: int
    content: bytes
    raw: bytes

    def expect(self, tag: int) -> "Node":
        """Return itself if it has this tag; raise :class:`Malformed` if not."""
        if self.tag != tag:
            raise Malformed(f"a value has the tag {self.tag:#04x} in place of {tag:#04x}")
        return self

    def parts(self, *tags: int) -> "list[Node]":
        """Return what a constructed value holds; with ``tags`` exactly these, one each."""
        parts = list(_split(self.content))
        if tags:
            if len(parts) != len(tags):
                raise Malformed(f"a value has {len(parts)} parts in place of {len(tags)}")
            for part, tag in zip(parts, tags, strict=True):
                part.expect(tag)
        return parts

    def one(self) -> "Node":
        """Return the only value in a constructed one."""
        parts = self.parts()
        if len(parts) != 1:
            raise Malformed(f"a value has {len(parts)} parts in place of one")
        return parts[0]

    def integer(self) -> int:
        """Return a whole number in its shortest form."""
        raw = self.expect(INTEGER).content
        value = int.from_bytes(raw, "big", signed=True)
        if number(value) != self.raw:
            raise Malformed("a number is not in its shortest form")
        return value

    def oid(self) -> str:
        """Return an object identifier in its dotted form."""
        arcs, value = [], 0
        for octet in self.expect(OID).content:
            value = value << 7 | octet & 0x7F
            if octet < 0x80:
                arcs.append(value)
                value = 0
        if not arcs:
            raise Malformed("an object identifier is empty")
        first = min(arcs[0] // 40, 2)
        text = ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
        if identifier(text) != self.raw:
            raise Malformed("an object identifier is not in its shortest form")
        return text

    def time(self) -> datetime:
        """Return a GeneralizedTime in UTC, as RFC 3161 restricts it."""
        try:
            text = self.expect(TIME).content.decode("ascii")
            whole, dot, fraction = text.removesuffix("Z").partition(".")
            if not (text.endswith("Z") and len(whole) == 14 and whole.isdigit()):
                raise ValueError
            if dot and not (fraction.isdigit() and len(fraction) <= 9):
                raise ValueError
            at = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            raise Malformed("a time is not of the form YYYYMMDDhhmmss[.f]Z") from None
        return at.replace(microsecond=int(fraction[:6].ljust(6, "0")))


def read(data: bytes) -> Node:
    """Read exactly one value."""
    nodes = list(_split(data))
    if len(nodes) != 1:
        raise Malformed(f"there are {len(nodes)} values in place of one")
    return nodes[0]


def _split(data: bytes) -> "list[Node]":
    nodes, start = [], 0
    while start < len(data):
        node = _at(data, start)
        nodes.append(node)
        start += len(node.raw)
    return nodes


def _at(data: bytes, start: int) -> Node:
    header = data[start : start + 2]
    if len(header) < 2 or header[0] & 0x1F == 0x1F:
        raise Malformed("a value has no header that DER knows")
    length, begin = header[1], start + 2
    if length >= 0x80:
        begin += length & 0x7F
        octets = data[start + 2 : begin]
        length = int.from_bytes(octets, "big")
        if not octets or len(octets) > 4 or octets[0] == 0 or length < 0x80:
            raise Malformed("a length is not in its shortest form")
    end = begin + length
    if end > len(data):
        raise Malformed("a value ends before its length does")
    return Node(header[0], data[begin:end], data[start:end])


def write(tag: int, *parts: bytes) -> bytes:
    """Return a value with this tag around ``parts``."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def number(value: int) -> bytes:
    """Return a whole number."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def identifier(dotted: str) -> bytes:
    """Return an object identifier; raise :class:`Malformed` for a text that is none."""
    pieces = dotted.split(".")
    if len(pieces) < 2 or not all(p.isascii() and p.isdigit() and len(p) < 40 for p in pieces):
        raise Malformed(f"{dotted[:60]!r} is no object identifier")
    first, second, *rest = map(int, pieces)
    if first > 2 or (first < 2 and second > 39):
        raise Malformed(f"{dotted[:60]!r} is no object identifier")
    return write(OID, *map(_arc, (first * 40 + second, *rest)))


def _arc(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))
