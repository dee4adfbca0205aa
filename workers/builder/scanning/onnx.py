"""Reads the parts of an ONNX file that point outside it, from the protobuf wire format."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MAX_DEPTH = 40
MAX_CHECKED = 512 << 20  # of larger ones the outer structure alone is held against itself
# message → field number → message, for every way from a model to a tensor
CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function", 20: "training"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}


class NotOnnx(Exception):
    """The bytes are not a whole ONNX model."""


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """Read a varint; return it and the place after it."""
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7
    raise NotOnnx("a number is cut off")


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of one message."""
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        number, wire = key >> 3, key & 7
        value: int | memoryview
        if number == 0 or key >> 32:  # protobuf drops what does not fit into 32 bits
            raise NotOnnx("a field has no number, or one that is too large")
        if wire == 0:
            value, place = varint(data, place)
        elif wire in {1, 2, 5}:
            size = {1: 8, 5: 4}.get(wire, 0)
            if wire == 2:
                size, place = varint(data, place)
            if place + size > len(data):
                raise NotOnnx("a field is cut off")
            value, place = data[place : place + size], place + size
        else:
            raise NotOnnx("a field has an unknown kind")
        yield number, value


def locations(data: memoryview, message: str = "model", depth: int = 0) -> Iterator[str]:
    """Yield the ``location`` of every tensor whose data lies in another file."""
    if depth > MAX_DEPTH:
        raise NotOnnx("it is nested too deeply")
    children = CHILDREN[message]
    for number, value in fields(data):
        child = children.get(number)
        if child is None or not isinstance(value, memoryview):
            continue
        if child == "entry":
            entry = {n: bytes(v) for n, v in fields(value) if isinstance(v, memoryview)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"").decode("utf-8", "surrogateescape")
        else:
            yield from locations(value, child, depth + 1)


def outside(data: bytes) -> list[str]:
    """Return the file names that a model refers to. Raises :class:`NotOnnx`."""
    view = memoryview(data)
    top = {number for number, _ in fields(view)}
    if not {1, 7} <= top:
        raise NotOnnx("it has no version or no graph")
    return sorted(set(locations(view)))


def check(data: bytes, path: Path | None) -> None:
    """Raise :class:`NotOnnx` unless ONNX's own checker takes the model; ``path`` is where it lies
    when its weights lie beside it."""
    if len(data) > MAX_CHECKED:
        return
    import onnx  # heavy: only a scan of an ONNX file pays for it
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx.checker import ValidationError, check_model

    try:
        if path is None:
            check_model(onnx.ModelProto.FromString(data))
        else:
            check_model(str(path))
    except DecodeError:
        raise NotOnnx("its bytes are no model") from None
    except (ValidationError, ValueError) as error:
        raise NotOnnx(str(error).strip().splitlines()[0][:120]) from None


def escapes(location: str) -> bool:
    """Tell whether a location leads out of the model's own folder."""
    path = PurePosixPath(location.replace("\\", "/"))
    return (
        not location
        or path.is_absolute()
        or ".." in path.parts
        or ":" in path.parts[0]
        or any(not c.isprintable() for c in location)
    )
