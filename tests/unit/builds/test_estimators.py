"""What predicts is served; what was saved in its place is refused at once, in words."""

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline

TEMPLATES = Path(__file__).resolve().parents[3] / "workers" / "builder" / "templates"
INFO: dict[str, Any] = {
    "signature": {"inputs": [{"name": "age", "type": "double"}]},
    "model_path": "/x/model.pkl",
}
NAMES = ("placet_values", "placet_estimator")


class Doubling:
    """Predicts twice the first column."""

    def predict(self, data: Any) -> Any:
        """Return one number for each row."""
        return data[:, 0] * 2


@pytest.fixture
def fitted() -> Iterator[Any]:
    """The template's class."""
    sys.path.insert(0, str(TEMPLATES))
    try:
        with warnings.catch_warnings():
            yield [importlib.import_module(name) for name in NAMES][-1].Fitted
    finally:
        sys.path.remove(str(TEMPLATES))
        for name in NAMES:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("saved", "held"),
    [
        (7, "a value of the type int"),
        ({"a": Doubling()}, "a value of the type dict"),
        (Path("a"), "a value of the type pathlib"),
        (Doubling, "the class Doubling itself"),
    ],
)
def test_what_cannot_predict_is_refused_before_anybody_asks_it(
    fitted: Any, saved: Any, held: str
) -> None:
    with pytest.raises(TypeError, match=rf"^model\.pkl holds {held}.*: save a fitted estimator$"):
        fitted(INFO, saved)


def test_whatever_predicts_is_served(fitted: Any) -> None:
    assert fitted(INFO, Doubling()).predict([{"age": 2.0}, {"age": 3.5}]) == [4.0, 7.0]


class Counting(BaseEstimator):
    """Transforms nothing, and notes the process that it was asked in."""

    def fit(self, rows: Any, labels: Any = None) -> "Counting":
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, rows: Any) -> Any:
        """Answer, for each row, the process."""
        return numpy.full((len(rows), 1), float(os.getpid()))


class Last(BaseEstimator):
    """Predicts how many other processes the columns name."""

    def fit(self, rows: Any, labels: Any = None) -> "Last":
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, rows: Any) -> Any:
        """Return one number for each row."""
        return (rows != os.getpid()).sum(axis=1)


def test_jobs_of_a_fitted_part_are_done_one_after_the_other(fitted: Any) -> None:
    """``get_params`` of a ColumnTransformer comes to what is to be fitted, and no further."""
    both = FeatureUnion([("a", Counting()), ("b", Counting())])
    columns = ColumnTransformer([("both", both, [0])])
    model = Pipeline([("columns", columns), ("last", Last())]).fit(numpy.ones((4, 1)))
    columns.named_transformers_["both"].n_jobs = 2
    assert model.predict(numpy.ones((1, 1))) == [2]
    assert fitted(INFO, model).predict([{"age": 2.0}]) == [0]
    assert columns.named_transformers_["both"].n_jobs == 2


def test_no_filters_of_warnings_are_left_that_a_forest_would_install_for_each_of_its_trees(
    fitted: Any,
) -> None:
    served = fitted(INFO, RandomForestClassifier(n_estimators=5).fit([[1.0], [2.0]], [0, 1]))
    assert served.predict([{"age": 2.0}]) == [1]
    assert warnings.filters == [("ignore", None, Warning, None, 0)]
