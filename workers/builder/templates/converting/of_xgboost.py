"""Converts native models of XGBoost."""

from typing import Any

import onnxmltools
from onnxmltools.convert.common.data_types import FloatTensorType


def convert(model: Any) -> tuple[Any, bool, str]:
    """Convert a booster: one input takes all columns."""
    given = [("input", FloatTensorType([None, len(model.columns)]))]
    model.booster.feature_names = model.booster.feature_types = None  # it wants f0, f1, …
    made = onnxmltools.convert_xgboost(model.booster, initial_types=given)
    return made, True, "onnxmltools"
