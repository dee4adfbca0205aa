"""Loads a native LightGBM model (.txt) and predicts with it."""

from pathlib import Path
from typing import Any

import lightgbm
from placet_boosted import Outputs, ordered
from placet_values import matrix

SEVERAL = {"multiclass", "multiclassova", "softmax", "ova"}


class Model:
    """A booster with the trees up to its best iteration, which is what LightGBM saves."""

    def __init__(self, info: dict[str, Any]) -> None:
        facts = _header(Path(info["model_path"]))
        self.booster = lightgbm.Booster(model_file=info["model_path"])
        if any(
            isinstance(v, str) for kinds in self.booster.pandas_categorical or [] for v in kinds
        ):
            raise ValueError(
                "the model was trained on text categories of pandas: train it on their codes"
            )
        names, wanted = self.booster.feature_name(), self.booster.num_feature()
        self.columns = ordered(info["signature"]["inputs"], names, wanted)
        objective = facts.get("objective", "").split(" ")[0]
        several = int(facts["num_class"]) if objective in SEVERAL else 0
        outputs = info["signature"].get("outputs") or []
        self._outputs = Outputs(outputs, 2 if objective == "binary" else several, True)

    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return one prediction per row."""
        values = self.booster.predict(matrix(rows, self.columns, "float64"), num_threads=1)
        return self._outputs.answer(values, values, len(rows))


def _header(path: Path) -> dict[str, str]:
    facts = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                break
            name, _, value = line.strip().partition("=")
            facts[name] = value
    return facts
