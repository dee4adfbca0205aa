"""Runs inside the sandbox: answers the rows with the original model, then converts it to ONNX.

``convert.py PROJECT ROWS OUT`` leaves ``answers.json``, ``model.onnx`` and ``told.json`` in OUT. It
judges nothing: the worker outside compares.
"""

import importlib
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from answer import asked

OPSET = {"": 21, "ai.onnx.ml": 3}


def main(project: Path, rows: Path, out: Path) -> int:
    """Answer and convert."""
    info, given = asked(project, rows)
    model = importlib.import_module("placet_model").Model(info)
    (out / "answers.json").write_text(json.dumps(model.predict(given)), encoding="utf-8")
    warnings.simplefilter("ignore")
    boosted = info["format"] in {"xgboost", "lightgbm"}
    graph, whole, used = of_booster(info, model) if boosted else of_estimator(model)
    (out / "model.onnx").write_bytes(graph.SerializeToString())
    told = {
        "columns": [column["name"] for column in model.columns],
        "whole": whole,
        "converters": {name: version(name) for name in (used, "onnx", "onnxruntime")},
    }
    (out / "told.json").write_text(json.dumps(told), encoding="utf-8")
    return 0


def of_booster(info: dict[str, Any], model: Any) -> tuple[Any, bool, str]:
    """Convert the native model of XGBoost or LightGBM."""
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    given = [("input", FloatTensorType([None, len(model.columns)]))]
    booster = model.booster
    if info["format"] == "lightgbm":
        made = onnxmltools.convert_lightgbm(booster, initial_types=given, zipmap=False)
    else:
        booster.feature_names = booster.feature_types = None  # the converter wants f0, f1, …
        made = onnxmltools.convert_xgboost(booster, initial_types=given)
    return made, True, "onnxmltools"


def of_estimator(model: Any) -> tuple[Any, bool, str]:
    """Convert a scikit-learn estimator: with one input if it can be, else with one per column."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = {column["name"]: column["type"] for column in model.columns}
    whole = [("input", FloatTensorType([None, len(kinds)]))]
    each = [
        (name, StringTensorType([None, 1]) if kind == "string" else FloatTensorType([None, 1]))
        for name, kind in kinds.items()
    ]
    if "string" in kinds.values():
        return convert(model.estimator, each), False, "skl2onnx"
    try:
        return convert(model.estimator, whole), True, "skl2onnx"
    except Exception:  # a ColumnTransformer picks its columns by name
        return convert(model.estimator, each), False, "skl2onnx"


def convert(estimator: Any, given: list[Any]) -> Any:
    """Call the converter; probabilities come as one table."""
    from skl2onnx import convert_sklearn

    take_whole_numbers()
    plain = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
    return convert_sklearn(estimator, initial_types=given, options=plain, target_opset=OPSET)


def take_whole_numbers() -> None:
    """Let NumPy's whole numbers and truth values be attributes of a node.

    The converter of histogram boosting hands them on, and the protobuf of today takes ints alone.
    """
    import numpy
    import onnx.helper

    original = onnx.helper.make_attribute
    kinds = (bool, numpy.bool_, numpy.integer)

    def make_attribute(key: str, value: Any, *more: Any, **named: Any) -> Any:
        if isinstance(value, list):
            value = [int(item) if isinstance(item, kinds) else item for item in value]
        return original(key, value, *more, **named)

    onnx.helper.make_attribute = make_attribute


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
