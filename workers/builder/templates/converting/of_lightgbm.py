"""Converts native models of LightGBM."""

from typing import Any

import onnxmltools
from onnxmltools.convert.common.data_types import FloatTensorType


def convert(model: Any) -> tuple[Any, bool, str]:
    """Convert a booster: one input takes all columns."""
    input_types = [("input", FloatTensorType([None, len(model.columns)]))]
    graph = onnxmltools.convert_lightgbm(model.booster, initial_types=input_types, zipmap=False)
    return graph, True, "onnxmltools"
