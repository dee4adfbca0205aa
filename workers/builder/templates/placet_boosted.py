"""From the raw values of boosted trees to the outputs that a signature names."""

from typing import Any

import numpy
from placet_values import per_row

PROBABILITIES = {"probability", "probabilities"}
LABELS = {"long", "integer"}


def ordered(columns: list[dict[str, Any]], features: list[str], wanted: int) -> Any:
    """Return the input columns in the model's order: by name, else as the signature has them."""
    if strange := [c["name"] for c in columns if c["type"] == "string" or c.get("shape")]:
        raise ValueError(f"the model takes numbers only, and the input {strange[0]!r} is none")
    by_name = {column["name"]: column for column in columns}
    if set(by_name) == set(features):
        return [by_name[name] for name in features]
    if len(columns) != wanted:
        raise ValueError(f"the model has {wanted} features, the signature {len(columns)} inputs")
    return columns


class Outputs:
    """The outputs of a model with ``classes`` classes; 0 is none, as in a regression.

    ``chances`` are probabilities: of the second class for two, of each for more. A ``prediction``
    of a whole-number type is the label; of any other type, what the library itself predicts.
    """

    def __init__(self, outputs: list[dict[str, Any]], classes: int, has_chances: bool) -> None:
        self._outputs = outputs or [{"name": "prediction"}]
        self._classes = classes
        self.wants_chances = any(self._is_chances(o) for o in self._outputs)
        if self.wants_chances and not (classes and has_chances):
            raise ValueError("the signature names probabilities, which this objective has not")

    @staticmethod
    def _is_chances(output: dict[str, Any]) -> bool:
        return output["name"] in PROBABILITIES

    def answer(self, values: Any, chances: Any, rows: int) -> list[Any]:
        """Return one answer per row."""
        return per_row({o["name"]: self._one(o, values, chances) for o in self._outputs}, rows)

    def _one(self, output: dict[str, Any], values: Any, chances: Any) -> Any:
        if self._is_chances(output):
            two = self._classes == 2 and chances.ndim == 1
            alone = output["name"] == "probability"
            return numpy.column_stack([1 - chances, chances]) if two and not alone else chances
        labels = output.get("type", "long") in LABELS
        return self._labels(values) if labels and self._classes else values

    @staticmethod
    def _labels(values: Any) -> Any:
        if values.ndim == 2:
            return values.argmax(axis=1)
        if values.dtype.kind == "i":
            return values
        return (values > 0.5).astype("int64")
