"""Loads a scikit-learn model from a skops file, of the types that the scan read and no others."""

from typing import Any

import skops.io
from placet_estimator import Fitted


class Model(Fitted):
    """What ``skops.io.dump`` wrote."""

    def __init__(self, info: dict[str, Any]) -> None:
        super().__init__(info, skops.io.load(info["model_path"], trusted=info["trusted_types"]))
