"""Loads a native XGBoost model (.json, .ubj) and predicts with it."""

import json
from typing import Any

import numpy
import xgboost
from placet_boosted import Outputs, ordered
from placet_values import matrix

LABELS_ONLY = {"multi:softmax", "binary:hinge"}


class Model:
    """A booster. Trees after the best iteration of an early stop are left out, as
    ``XGBClassifier`` and ``XGBRegressor`` do."""

    def __init__(self, info: dict[str, Any]) -> None:
        self.booster = xgboost.Booster({"nthread": 1}, model_file=info["model_path"])
        features, wanted = self.booster.feature_names or [], self.booster.num_features()
        self.columns = ordered(info["signature"]["inputs"], features, wanted)
        learner = json.loads(self.booster.save_config())["learner"]
        self._objective = learner["objective"]["name"]
        self._linear = learner["gradient_booster"]["name"] == "gblinear"
        classes = int(learner["learner_model_param"]["num_class"])
        two = self._objective in {"binary:logistic", "binary:hinge"}
        has_chances = self._objective != "binary:hinge"
        outputs = info["signature"].get("outputs") or []
        self._outputs = Outputs(outputs, 2 if two else classes, has_chances)
        self._trees = self._best()

    def _best(self) -> tuple[int, int]:
        """Return the rounds to answer by. XGBoost does not look whether there are so many, and
        reads whatever stands in memory instead. Raises ``ValueError``."""
        best = self.booster.attr("best_iteration")
        if best is None or self._linear:
            return (0, 0)
        rounds = self.booster.num_boosted_rounds()
        if not best.isdecimal() or int(best) >= rounds:
            raise ValueError(f"the model has {rounds} rounds and best_iteration is none of them")
        return (0, int(best) + 1)

    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return one prediction per row."""
        data = matrix(rows, self.columns, "float32")
        values = self._values(data, margin=False)
        chances = values
        if self._objective in LABELS_ONLY:
            values = values.astype("int64")
        if self._objective == "multi:softmax" and self._outputs.wants_chances:
            chances = _softmax(self._values(data, margin=True))
        return self._outputs.answer(values, chances, len(rows))

    def _values(self, data: Any, *, margin: bool) -> Any:
        if self._linear:
            given = xgboost.DMatrix(data)
            return self.booster.predict(given, output_margin=margin, validate_features=False)
        kind = "margin" if margin else "value"
        return self.booster.inplace_predict(
            data, iteration_range=self._trees, predict_type=kind, validate_features=False
        )


def _softmax(margins: Any) -> Any:
    raised = numpy.exp(margins - margins.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
