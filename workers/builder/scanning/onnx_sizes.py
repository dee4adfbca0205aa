"""Finds the operators of an ONNX model that take a size from the values of a row.

Whoever sends such a row has the replica fill, or count, as much as a number of it says. Sizes that
come from the shape of an input, and constants, are the model's own: how large they become is not
looked at.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from workers.builder.scanning.onnx_fields import Run, in_runs, listed

REDUCING = b"L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare".split()
# Which inputs of an operator say how much it answers, or along what, of those that a safe model may
# have (:mod:`onnx`). A ``Reshape`` of nothing is as long as it is told, and ``Shape`` would make a
# bounded size of that; a sum of a column and a row is as large as both lengths make it.
SIZES = {
    b"ConstantOfShape": {0},
    b"Expand": {1},
    b"If": {0},
    b"NonZero": {0},
    b"Pad": {1, 3},
    b"Range": {0, 1, 2},
    b"Reshape": {1},
    b"Slice": {1, 2, 3, 4},
    b"Split": {1},
    b"Squeeze": {1},
    b"Tile": {1, 2},
    b"TopK": {1},
    b"Unsqueeze": {1},
    **{b"Reduce" + name: {1} for name in REDUCING},
}
# What these answer depends on how much was sent, whatever its values are.
BOUNDED = frozenset({b"Shape", b"Size"})
ADVICE = (
    "whose sizes come from a row, which may ask for any memory and time: take them from shapes, or "
    "constants that are no inputs, or allow code-carrying"
)
# message → field number → message, for every way from a model to a node
CHILDREN = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node"},
    "function": {7: "node"},
    "attribute": {6: "graph", 11: "graph"},
}
BRANCHING = b"If"  # the one operator with graphs that a safe model may have
NODE_INPUT, NODE_OUTPUT, OPERATOR, ATTRIBUTE = 1, 2, 4, 5
INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, SPARSE = 5, 11, 12, 15
FUNCTION_INPUT = 4
# From that version of the form on whoever calls a model may replace what it gives an input itself.
IR_VERSION, REPLACED_FROM = 1, 4
NAME, TENSOR_NAME, SPARSE_VALUES = 1, 8, 1


@dataclass(slots=True)
class _Names:
    """What is known of the names of a model. One that stands in two graphs is one here, so that it
    does not matter in which order nodes and graphs are read. ``fixed``: what the file gives an
    input itself stays so."""

    fixed: bool
    values: set[bytes] = field(default_factory=set)
    leads: dict[bytes, list[list[bytes]]] = field(default_factory=lambda: defaultdict(list))
    sizes: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict(set))


def of_rows(data: bytes) -> list[str]:
    """Return the operators that take a size from the values of a row. Raises :class:`NotOnnx`; how
    deeply a model is nested has been looked at before."""
    view = memoryview(data)
    runs = [v for n, v in in_runs(view) if n == IR_VERSION and isinstance(v, Run)]
    newest = max((max(run.values(), default=0) for run in runs), default=0)
    names = _Names(fixed=0 < newest < REPLACED_FROM)
    _read(view, "model", names)
    waiting, seen = list(names.values), set(names.values)
    while waiting:
        for outputs in names.leads.pop(waiting.pop(), ()):
            new = set(outputs) - seen
            outputs.clear()  # the same list for each that leads there
            seen |= new
            waiting += new
    return sorted(
        {kind.decode() for name in seen & names.sizes.keys() for kind in names.sizes[name]}
    )


def _read(data: memoryview, message: str, names: _Names) -> set[bytes]:
    """Read a message and all in it; return the names that it takes."""
    if message == "node":
        return _read_node(data, names)
    taken: set[bytes] = set()
    if message == "graph":
        names.values |= _inputs(data, fixed=names.fixed)
    for number, value in in_runs(data):
        if not isinstance(value, memoryview):
            continue
        if number in CHILDREN[message]:
            taken |= _read(value, CHILDREN[message][number], names)
        elif message == "function" and number == FUNCTION_INPUT:
            names.values.add(bytes(value))
        elif message == "graph" and number == GRAPH_OUTPUT:
            taken |= _named(value, NAME)  # a branch may answer what comes from outside it
    return taken


def _read_node(node: memoryview, names: _Names) -> set[bytes]:
    """Note what a node takes and where it leads; return those whose values get further, of its
    branches too."""
    parts = [(number, value) for number, value in listed(node) if isinstance(value, memoryview)]
    inputs = [bytes(value) for number, value in parts if number == NODE_INPUT]
    outputs = [bytes(value) for number, value in parts if number == NODE_OUTPUT and value]
    kind = next(bytes(value) for number, value in parts if number == OPERATOR)
    taken = {name for name in inputs if name}
    if kind == BRANCHING:
        for number, value in parts:
            if number == ATTRIBUTE:
                taken |= _read(value, "attribute", names)
    for place in SIZES.get(kind, set()) & {*range(len(inputs))}:
        names.sizes[inputs[place]].add(kind)
    if kind not in BOUNDED:
        for name in taken:
            names.leads[name].append(outputs)
    return set() if kind in BOUNDED else taken


def _inputs(graph: memoryview, *, fixed: bool) -> set[bytes]:
    """Return the names of a graph's inputs that whoever calls the model may give."""
    inputs: set[bytes] = set()
    given: set[bytes] = set()
    for number, value in in_runs(graph):
        if not isinstance(value, memoryview):
            continue
        if number == GRAPH_INPUT:
            inputs |= _named(value, NAME)
        elif number == INITIALIZER:
            given |= _named(value, TENSOR_NAME)
        elif number == SPARSE:
            for part, inner in in_runs(value):
                if part == SPARSE_VALUES and isinstance(inner, memoryview):
                    given |= _named(inner, TENSOR_NAME)
    return inputs - given if fixed else inputs


def _named(message: memoryview, number: int) -> set[bytes]:
    return {bytes(v) for n, v in in_runs(message) if n == number and isinstance(v, memoryview)}
