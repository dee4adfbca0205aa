"""Converts native models of LightGBM."""

from typing import Any

import onnxmltools
from onnxmltools.convert.common.data_types import FloatTensorType


def convert(model: Any) -> tuple[Any, bool, str]:
    """Convert a booster: one input takes all columns."""
    given = [("input", FloatTensorType([None, len(model.columns)]))]
    made = onnxmltools.convert_lightgbm(model.booster, initial_types=given, zipmap=False)
    return made, True, "onnxmltools"
