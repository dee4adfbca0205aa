"""ONNX: the graph's inputs and outputs become the signature."""

from pathlib import PurePosixPath
from typing import Any

from apps.registry.formats.base import Derived, Files, refusal, unsaid

ENDINGS = (".onnx",)
MAX_BYTES = 256 * 1024**2  # read into memory; a larger graph's signature comes from the author
# TensorProto.DataType by number: https://onnx.ai/onnx/api/classes.html#tensorproto
_TYPES = {
    1: "float", 11: "double", 10: "float",
    2: "integer", 3: "integer", 4: "integer", 5: "integer", 6: "integer",
    7: "long", 12: "long", 13: "long",
    8: "string", 9: "boolean",
}  # fmt: skip


def derive(files: Files) -> Derived:
    """Return the signature that the graph declares."""
    path = files.ending(*ENDINGS)[0]
    if files.sizes[path] > MAX_BYTES:
        return unsaid("onnx", f"{path} is too large to be read here")
    graph = _graph(path, files.read(path, MAX_BYTES))
    _refuse_outside(path, graph)
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [_column(value) for value in graph.input if value.name not in constants]
    outputs = [column for value in graph.output if (column := _column(value))]
    if not inputs or None in inputs:
        return unsaid("onnx", f"{path} has an input that is no tensor")
    if not outputs:
        return unsaid("onnx", f"{path} has no tensor output (zipmap=False makes one)")
    return Derived("onnx", signature={"inputs": inputs, "outputs": outputs})


def _graph(path: str, raw: bytes) -> Any:
    import onnx  # heavy: only a process that finalises an ONNX version pays for it
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.ModelProto.FromString(raw)  # external data is not followed
    except DecodeError:
        raise refusal(path, "not an ONNX model (its bytes are no ModelProto)") from None
    if not model.ir_version or not model.HasField("graph"):
        raise refusal(path, "not an ONNX model (it holds no graph)")
    return model.graph


def _refuse_outside(path: str, graph: Any) -> None:
    """Refuse weights that lie outside the model's own folder; the build's scan looks deeper."""
    for tensor in graph.initializer:
        for entry in tensor.external_data:
            place = PurePosixPath(entry.value.replace("\\", "/"))
            if entry.key == "location" and (
                not entry.value or place.is_absolute() or ".." in place.parts or ":" in entry.value
            ):
                where = ascii(entry.value)[:100]
                raise refusal(path, f"its weights lie outside the model, in {where}: save them "
                                    "beside it")  # fmt: skip


def _column(value: Any) -> dict[str, Any] | None:
    """Return a graph's input or output as a column; ``None`` when it is no tensor of ours."""
    if value.type.WhichOneof("value") != "tensor_type":
        return None
    tensor = value.type.tensor_type
    if tensor.elem_type not in _TYPES:
        return None
    column: dict[str, Any] = {"name": value.name, "type": _TYPES[tensor.elem_type]}
    lengths = [d.dim_value if d.dim_value > 0 else -1 for d in tensor.shape.dim][1:]
    if lengths and lengths != [1]:
        column["shape"] = lengths
    return column
