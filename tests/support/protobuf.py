"""Fields of a protobuf message as bytes, of any number and kind: what no writer would put there."""


def number(field: int, value: int) -> bytes:
    """Return a field that holds a number up to 2^64."""
    return varint(field << 3) + varint(value)


def text(field: int, value: bytes) -> bytes:
    """Return a field that says its length: a text, bytes, a message or packed numbers."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def four(field: int, value: bytes) -> bytes:
    """Return a field of four bytes."""
    return varint(field << 3 | 5) + value


def eight(field: int, value: bytes) -> bytes:
    """Return a field of eight bytes."""
    return varint(field << 3 | 1) + value


def varint(value: int) -> bytes:
    """Return a number as protobuf writes one."""
    low = bytes([value & 0x7F | (0x80 if value > 0x7F else 0)])
    return low + varint(value >> 7) if value > 0x7F else low
