"""Loads an MLflow model folder, whatever its flavour, and predicts with it."""

import os
from importlib.util import find_spec
from typing import Any

os.environ.setdefault("MLFLOW_TRACKING_URI", "file:///tmp/mlflow")  # nothing is written there
os.environ.setdefault("MLFLOW_ENABLE_TELEMETRY", "false")
os.environ.setdefault("DO_NOT_TRACK", "true")

import mlflow.pyfunc
from placet_values import DTYPES, column_array, frame, per_row


class Model:
    """A pyfunc model: gets a DataFrame, or an array when its one input has a shape."""

    def __init__(self, info: dict[str, Any]) -> None:
        self._columns = info["signature"]["inputs"]
        self._outputs = [output["name"] for output in info["signature"].get("outputs") or []]
        self._tensors = any(column.get("shape") for column in self._columns)
        if find_spec("onnxruntime"):  # mlflow.onnx asks for its options by this name
            import onnxruntime
            import placet_onnx

            onnxruntime.SessionOptions = placet_onnx.options
        self._model = mlflow.pyfunc.load_model(info["model_path"])

    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return one prediction per row."""
        return self._shape(self._model.predict(self._data(rows)), len(rows))

    def _data(self, rows: list[dict[str, Any]]) -> Any:
        if not self._tensors:
            return frame(rows, self._columns)
        arrays = {c["name"]: column_array(rows, c).astype(DTYPES[c["type"]]) for c in self._columns}
        return next(iter(arrays.values())) if len(arrays) == 1 else arrays

    def _shape(self, result: Any, rows: int) -> list[Any]:
        if hasattr(result, "columns"):
            return per_row({str(n): result[n].tolist() for n in result.columns}, rows)
        if isinstance(result, dict):
            return per_row(result, rows)
        return per_row({"prediction": result}, rows)
