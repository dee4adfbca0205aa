"""Predicts with a scikit-learn estimator, however it was loaded."""

import contextlib
import warnings
from pathlib import Path
from typing import Any

from placet_values import frame, matrix, per_row

PROBABILITIES = {"probability", "probabilities"}


class Fitted:
    """A fitted estimator or pipeline."""

    def __init__(self, info: dict[str, Any], estimator: Any) -> None:
        self.columns = info["signature"]["inputs"]
        self._outputs = [output["name"] for output in info["signature"].get("outputs") or []]
        self.estimator = _able(estimator, info["model_path"])
        self._names = list(getattr(self.estimator, "feature_names_in_", []))
        self._as_frame = bool(self._names) and _has_pandas()
        if self._names:
            by_name = {column["name"]: column for column in self.columns}
            if set(by_name) == set(self._names):
                self.columns = [by_name[name] for name in self._names]
        _one_thread(self.estimator)
        # For each tree of a forest, each time, scikit-learn installs all filters of warnings anew:
        # a third of what a prediction takes. What was said while it was loaded is in the log.
        warnings.resetwarnings()
        warnings.simplefilter("ignore")

    def predict(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return one prediction per row."""
        with _one_process():
            return self._predicted(rows)

    def _predicted(self, rows: list[dict[str, Any]]) -> list[Any]:
        build = frame if self._as_frame else matrix
        data = build(rows, self.columns)
        results: dict[str, Any] = {}
        for name in self._outputs or ["prediction"]:
            if name in PROBABILITIES:
                chances = self.estimator.predict_proba(data)
                binary = name == "probability" and chances.shape[1] == 2
                results[name] = chances[:, 1] if binary else chances
            else:
                results[name] = self.estimator.predict(data)
        return per_row(results, len(rows))


def _able(loaded: Any, path: str) -> Any:
    """Return what was loaded; refuse at once what could not predict later."""
    kind = type(loaded)
    if isinstance(loaded, type):
        held = f"the class {loaded.__name__} itself"
    elif not callable(getattr(loaded, "predict", None)):
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        held = f"a value of the type {module}{kind.__qualname__}"
    else:
        return loaded
    raise TypeError(
        f"{Path(path).name} holds {held}, which cannot predict: save a fitted estimator"
    )


def _has_pandas() -> bool:
    try:
        import pandas  # noqa: F401
    except ImportError:
        return False
    return True


def _one_thread(estimator: Any) -> None:
    """Starting threads for one row costs more than it gains, and replicas share the machine."""
    if not hasattr(estimator, "get_params"):
        return
    wanted = {
        n: 1 for n, v in estimator.get_params().items() if n.split("__")[-1] == "n_jobs" and v
    }
    if wanted:
        estimator.set_params(**wanted)


def _one_process() -> Any:
    """Whatever number of jobs a fitted part holds, where ``get_params`` does not come to."""
    try:
        import joblib
    except ImportError:
        return contextlib.nullcontext()
    if hasattr(joblib, "parallel_config"):
        return joblib.parallel_config(backend="sequential")
    return joblib.parallel_backend("sequential")  # before 1.3
