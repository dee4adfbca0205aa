"""Predicts with the ONNX form of a model, which the build found to answer as the model does."""

from typing import Any

import numpy
import onnxruntime
import placet_onnx
from placet_values import column_array, per_row

PROBABILITIES = {"probability", "probabilities"}
FRACTIONS = {"double", "float"}
BOOSTED = {"xgboost", "lightgbm"}


class Model:
    """One input holds all columns side by side, or each column has an input of its own."""

    def __init__(self, info: dict[str, Any]) -> None:
        by_name = {column["name"]: column for column in info["signature"]["inputs"]}
        self._names = info["accelerated"]["columns"]
        self._columns = [by_name[name] for name in self._names]
        self._outputs = info["signature"].get("outputs") or [{"name": "prediction"}]
        self._boosted = info["format"] in BOOSTED
        options = placet_onnx.options()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # older converters state a wrong shape for labels
        self._session = onnxruntime.InferenceSession(
            info["accelerated_path"], options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._whole = info["accelerated"]["whole"]

    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return one prediction per row."""
        found = self._session.run(None, self._feed(rows))
        values, chances = found[0], found[1] if len(found) > 1 else None
        return per_row({o["name"]: self._one(o, values, chances) for o in self._outputs}, len(rows))

    def _feed(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        if self._whole:
            names = self._names
            table = [[row.get(name) for name in names] for row in rows]
            return {self._inputs[0]: numpy.array(table, dtype="float32")}
        feed = {}
        for given, column in zip(self._inputs, self._columns, strict=True):
            kind = "object" if column["type"] == "string" else "float32"
            feed[given] = column_array(rows, column).astype(kind).reshape(-1, 1)
        return feed

    def _one(self, output: dict[str, Any], values: Any, chances: Any) -> Any:
        raw = self._boosted and output.get("type") in FRACTIONS  # what Booster.predict gives
        if chances is not None and (raw or output["name"] in PROBABILITIES):
            alone = raw or output["name"] == "probability"
            return chances[:, 1] if alone and chances.shape[1] == 2 else chances
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
