"""Converts scikit-learn estimators and pipelines, however they were loaded."""

from typing import Any

OPSET = {"": 21, "ai.onnx.ml": 3}


def convert(model: Any) -> tuple[Any, bool, str]:
    """Convert a scikit-learn estimator: with one input if it can be, else with one per column."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = {column["name"]: column["type"] for column in model.columns}
    whole = [("input", FloatTensorType([None, len(kinds)]))]
    each = [
        (name, StringTensorType([None, 1]) if kind == "string" else FloatTensorType([None, 1]))
        for name, kind in kinds.items()
    ]
    if "string" in kinds.values():
        return converted(model.estimator, each), False, "skl2onnx"
    try:
        return converted(model.estimator, whole), True, "skl2onnx"
    except Exception:  # a ColumnTransformer picks its columns by name
        return converted(model.estimator, each), False, "skl2onnx"


def converted(estimator: Any, input_types: list[Any]) -> Any:
    """Call the converter; probabilities come as one table."""
    from skl2onnx import convert_sklearn

    take_whole_numbers()
    plain = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
    return convert_sklearn(estimator, initial_types=input_types, options=plain, target_opset=OPSET)


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
