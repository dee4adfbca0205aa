"""Loads an ONNX model with onnxruntime and predicts with it."""

from typing import Any

import numpy
import onnxruntime
import placet_onnx
from placet_values import column_array, matrix, per_row

TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


class Model:
    """Columns go to the inputs of their name, or side by side to the one input."""

    def __init__(self, info: dict[str, Any]) -> None:
        self._columns = info["signature"]["inputs"]
        options = placet_onnx.options()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            info["model_path"], options, providers=["CPUExecutionProvider"]
        )
        self._inputs = self._session.get_inputs()
        self._results = self._choose(info["signature"].get("outputs") or [])
        names = {column["name"] for column in self._columns}
        self._by_name = all(given.name in names for given in self._inputs)
        if not self._by_name and len(self._inputs) != 1:
            wanted = ", ".join(given.name for given in self._inputs)
            raise ValueError(f"the model wants the inputs {wanted}; the signature has others")

    def _choose(self, outputs: list[dict[str, Any]]) -> dict[str, str]:
        """Return output name in the answer → output name in the model."""
        have = [result.name for result in self._session.get_outputs()]
        named = [output["name"] for output in outputs]
        if not named:
            return {have[0]: have[0]}
        if len(named) > len(have):
            raise ValueError(f"the signature names {len(named)} outputs, the model has {len(have)}")
        return {n: n if n in have else have[place] for place, n in enumerate(named)}

    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return one prediction per row."""
        wanted = list(self._results.values())
        values = dict(zip(wanted, self._session.run(wanted, self._feed(rows)), strict=True))
        return per_row({n: _flat(values[real]) for n, real in self._results.items()}, len(rows))

    def _feed(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        if not self._by_name:
            given = self._inputs[0]
            return {given.name: matrix(rows, self._columns, TYPES[given.type])}
        columns = {column["name"]: column for column in self._columns}
        feed = {}
        for given in self._inputs:
            values = column_array(rows, columns[given.name]).astype(TYPES[given.type])
            flat = values.ndim == 1 and len(given.shape) == 2
            feed[given.name] = values.reshape(-1, 1) if flat else values
        return feed


def _flat(values: Any) -> Any:
    """A column of one value per row is a plain list."""
    if isinstance(values, numpy.ndarray) and values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    return values
