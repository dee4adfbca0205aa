"""Loads a scikit-learn model from a pickle."""

from typing import Any

import joblib
from placet_estimator import Fitted


class Model(Fitted):
    """What ``joblib.dump`` or ``pickle.dump`` wrote."""

    def __init__(self, info: dict[str, Any]) -> None:
        super().__init__(info, joblib.load(info["model_path"]))
