"""Converts native models of XGBoost."""

from typing import Any

import onnxmltools
from onnxmltools.convert.common.data_types import FloatTensorType


def convert(model: Any) -> tuple[Any, bool, str]:
    """Convert a booster: one input takes all columns."""
    input_types = [("input", FloatTensorType([None, len(model.columns)]))]
    model.booster.feature_names = model.booster.feature_types = None  # it wants f0, f1, …
    graph = onnxmltools.convert_xgboost(model.booster, initial_types=input_types)
    return graph, True, "onnxmltools"
