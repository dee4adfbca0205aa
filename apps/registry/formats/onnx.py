"""ONNX: the graph's inputs and outputs become the signature. Its weights are passed over."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from apps.registry.formats.base import MAX_FEATURES, Derived, Files, Format, refusal, unsaid
from apps.registry.formats.protobuf import Message, MessageTooLarge, NotProtobuf

ENDINGS = (".onnx",)
MAX_RANK = 64  # dimensions; more is no signature of ours
# TensorProto.DataType by number: https://onnx.ai/onnx/api/classes.html#tensorproto
_TYPES = {
    1: "float",
    11: "double",
    10: "float",
    2: "integer",
    3: "integer",
    4: "integer",
    5: "integer",
    6: "integer",
    7: "long",
    12: "long",
    13: "long",
    8: "string",
    9: "boolean",
}
_TENSOR, _KINDS = 1, {1, 4, 5, 7, 8, 9}  # what a TypeProto may be, by number of its field


def derive(files: Files) -> Derived:
    """Return the signature that the graph declares."""
    path = files.ending(*ENDINGS)[0]
    graph = _Graph(path)
    try:
        with files.opener(path) as stream:
            graph.model(Message(stream, files.sizes[path]))
    except MessageTooLarge:
        return unsaid("onnx", f"{path} is too large to be read here")
    except NotProtobuf:
        raise refusal(path, "not an ONNX model (its bytes are no ModelProto)") from None
    inputs = [_column(value) for value in graph.inputs if value.name not in graph.constants]
    outputs = [column for value in graph.outputs if (column := _column(value))]
    if not inputs or None in inputs:
        return unsaid("onnx", f"{path} has an input that is no tensor")
    if not outputs:
        return unsaid("onnx", f"{path} has no tensor output (zipmap=False makes one)")
    return Derived("onnx", signature={"inputs": inputs, "outputs": outputs})


@dataclass(slots=True)
class _Value:
    """A ValueInfoProto: a name, and a kind with what a tensor's says."""

    name: str = ""
    kind: int = 0
    element: int = 0
    lengths: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Graph:
    """What a signature needs of a ModelProto. Numbers are those of onnx.proto; a message that
    stands twice is merged, as protobuf does."""

    path: str
    inputs: list[_Value] = field(default_factory=list)
    outputs: list[_Value] = field(default_factory=list)
    constants: set[str] = field(default_factory=set)

    def model(self, message: Message) -> None:
        version = graphs = 0
        for number, value, stop in message.fields(message.size):
            if number == 1 and not stop:
                version = value
            elif number == 7 and stop:
                graphs += 1
                self._graph(message, stop)
        if not version or not graphs:
            raise refusal(self.path, "not an ONNX model (it holds no graph)")

    def _graph(self, message: Message, end: int) -> None:
        for number, _, stop in message.fields(end):
            if number == 5 and stop:
                self._initializer(message, stop)
            elif number in {11, 12} and stop:
                values = self.inputs if number == 11 else self.outputs
                values.append(_value(message, stop))
                if len(values) > MAX_FEATURES:
                    raise MessageTooLarge

    def _initializer(self, message: Message, end: int) -> None:
        for number, _, stop in message.fields(end):
            if number == 8 and stop:
                self.constants.add(message.text(stop))
            elif number == 13 and stop:
                self._refuse_outside(message, stop)

    def _refuse_outside(self, message: Message, end: int) -> None:
        """Refuse weights that lie outside the model's own folder; the build's scan looks deeper."""
        entry = {1: "", 2: ""}
        for number, _, stop in message.fields(end):
            if number in entry and stop:
                entry[number] = message.text(stop)
        weights = PurePosixPath(entry[2].replace("\\", "/"))
        if entry[1] == "location" and (
            not entry[2] or weights.is_absolute() or ".." in weights.parts or ":" in entry[2]
        ):
            where = ascii(entry[2])[:100]
            detail = f"its weights lie outside the model, in {where}: save them beside it"
            raise refusal(self.path, detail)


def _value(message: Message, end: int) -> _Value:
    value = _Value()
    for number, _, stop in message.fields(end):
        if number == 1 and stop:
            value.name = message.text(stop)
        elif number == 2 and stop:
            _type(message, stop, value)
    return value


def _type(message: Message, end: int, value: _Value) -> None:
    for number, _, stop in message.fields(end):
        if number in _KINDS and stop:
            if value.kind != number:
                value.kind, value.element, value.lengths = number, 0, []
            if number == _TENSOR:
                _tensor(message, stop, value)


def _tensor(message: Message, end: int, value: _Value) -> None:
    for number, element, stop in message.fields(end):
        if number == 1 and not stop:
            value.element = element
        elif number == 2 and stop:
            for inner, _, dimension in message.fields(stop):
                if inner == 1 and dimension:
                    value.lengths.append(_length(message, dimension))
                    if len(value.lengths) > MAX_RANK:
                        raise MessageTooLarge


def _length(message: Message, end: int) -> int:
    """Return the length of a dimension; -1 when it has a name or none."""
    length = 0
    for number, value, stop in message.fields(end):
        if number in {1, 2}:
            length = 0 if stop else value
    return length if 0 < length < 1 << 63 else -1


def _column(value: _Value) -> dict[str, Any] | None:
    """Return a graph's input or output as a column; ``None`` when it is no tensor of ours."""
    if value.kind != _TENSOR or value.element not in _TYPES:
        return None
    column: dict[str, Any] = {"name": value.name, "type": _TYPES[value.element]}
    lengths = value.lengths[1:]
    if lengths and lengths != [1]:
        column["shape"] = lengths
    return column


FORMAT = Format(
    name="onnx",
    title="ONNX",
    endings=ENDINGS,
    derive=derive,
    packages=("onnxruntime", "numpy"),
    # Before it, ONNX Runtime answers other callers' memory at a row of anybody's choice
    safe_from={"onnxruntime": {"onnxruntime": "1.32"}},
    shared=("placet_onnx.py",),
    wipe_memory=True,
)
