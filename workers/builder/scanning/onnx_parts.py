"""Counts the parts of an ONNX file before ONNX's own checker makes objects of them.

Two bytes are a message without content, of which protobuf makes some 170 of memory, in its two
forms together.
"""

from workers.builder.scanning.onnx_fields import NotOnnx, NotRead, Run, finished, in_runs

MAX_DEPTH = 60
MAX_MEMORY = 1 << 30
MESSAGE, TEXT, NUMBER = 200, 80, 16  # bytes of memory
RUN = 400  # of numbers of one field: as many as are read in good time
# message → field number → message, for every way to one of which there may be many. A type may be
# of others (``onnx/onnx.proto3``, TypeProto).
HELD: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "", 14: "", 20: "training", 25: "function", 26: "configuration"},
    "training": {1: "graph", 2: "graph", 3: "", 4: ""},
    "graph": {
        1: "node",
        5: "tensor",
        11: "value",
        12: "value",
        13: "value",
        14: "annotation",
        15: "sparse",
        16: "",
    },
    "function": {7: "node", 9: "", 11: "attribute", 12: "value", 14: ""},
    "node": {5: "attribute", 9: "", 10: "device"},
    "device": {2: "sharding"},
    "sharding": {3: "", 4: "dimension"},
    "dimension": {2: ""},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        14: "type",
        15: "type",
        22: "sparse",
        23: "sparse",
    },
    "tensor": {13: ""},
    "sparse": {1: "tensor", 2: "tensor"},
    "annotation": {2: ""},
    "value": {2: "type", 4: ""},
    "type": {1: "shaped", 4: "type", 5: "map", 8: "shaped", 9: "type"},
    "map": {2: "type"},
    "shaped": {2: "shape"},
    "shape": {1: ""},
}
# Fields of whole numbers that may be packed: a byte of the file becomes eight in each form.
PACKED = {"attribute": {8}, "tensor": {1, 5, 7, 11}, "sparse": {3}, "sharding": {2}}


def bound(model: memoryview) -> None:
    """Raise :class:`NotRead` where the parts of a model take too much memory."""
    _taken(model, "model", 0, 0)


def _taken(data: memoryview, message: str, taken: int, depth: int) -> int:
    """Return what is taken with the parts of a message, added to what was before. A sequence holds
    its type as a type holds a sequence: one table has both."""
    if depth > MAX_DEPTH:
        raise NotOnnx("it is nested too deeply")
    held, packed = HELD.get(message, {}), PACKED.get(message, ())
    for number, value in in_runs(data):
        if isinstance(value, Run):
            taken += RUN + value.count * NUMBER
        elif number in packed:
            taken += TEXT + finished(value) * NUMBER
        else:
            taken += MESSAGE if number in held else TEXT
        if taken > MAX_MEMORY:
            raise NotRead("it has too many parts")
        if held.get(number) and isinstance(value, memoryview):
            taken = _taken(value, held[number], taken, depth + 1)
    return taken
