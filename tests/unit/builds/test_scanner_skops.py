"""A skops file is safe when all that it is made of is on a short list: what NumPy computes with."""

import importlib
import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import skops.io
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import SVC

from tests.support.scanning import scan_bytes
from workers.builder.scanning.files import Report
from workers.builder.scanning.skops import ADVICE, LOADERS, PLAIN, trusted

FEATURES = numpy.random.default_rng(0).random((60, 4))
LABELS = (FEATURES[:, 0] > 0.5).astype(int)
ESTIMATORS = sorted(trusted()["ObjectNode"])
# What skops trusts by itself, of which that list is a part.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from skops.io import _trusted_types as theirs
THEIRS = {
    full
    for group in vars(theirs)
    if group.endswith("_TYPE_NAMES")
    for full in getattr(theirs, group)
}


def report(data: bytes) -> Report:
    """Scan a skops file."""
    return scan_bytes("model.skops", data, Path("/nonexistent"))


def fitted(model: Any) -> Any:
    """Fit a model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(FEATURES, LABELS)


def of_node(full: str, loader: str) -> Report:
    """Scan a skops file of one node."""
    module, _, kind = full.rpartition(".")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        node = {"__class__": kind, "__module__": module, "__loader__": loader}
        archive.writestr("schema.json", json.dumps(node))
    return report(file.getvalue())


SETTINGS: dict[str, dict[str, Any]] = {
    "ColumnTransformer": {
        "transformers": [("a", StandardScaler(), [0]), ("b", "passthrough", slice(1, 3))],
        "remainder": "passthrough",
    },
    "FeatureUnion": {"transformer_list": [("a", StandardScaler()), ("b", "passthrough")]},
    "LogisticRegression": {"class_weight": {0: 1.0, 1: 2.0}},
    "OrdinalEncoder": {"dtype": numpy.int32, "min_frequency": 2},
    "Pipeline": {"steps": [("a", StandardScaler()), ("b", LogisticRegression())]},
    "QuantileTransformer": {"n_quantiles": 9, "output_distribution": "normal", "random_state": 3},
    "SimpleImputer": {"strategy": "most_frequent"},
}


@pytest.mark.parametrize("full", ESTIMATORS)
def test_what_is_on_the_list_is_safe_as_people_have_it(full: str) -> None:
    module, _, kind = full.rpartition(".")
    model = fitted(getattr(importlib.import_module(module), kind)(**SETTINGS.get(kind, {})))
    found = report(skops.io.dumps(model))
    assert found.verdict() == "safe", found.findings


def test_words_that_stand_for_categories_are_safe() -> None:
    words = numpy.array(["a", "b", "a", None], object).reshape(-1, 1)
    found = report(skops.io.dumps(OrdinalEncoder().fit(words)))
    assert found.verdict() == "safe", found.findings


def test_the_list_is_short_and_part_of_what_skops_trusts_by_itself() -> None:
    assert 25 <= len(ESTIMATORS) <= 40
    assert set(ESTIMATORS) < THEIRS
    assert len(THEIRS) > 400


def test_the_guide_names_each_of_them() -> None:
    guide = (Path(__file__).parents[3] / "docs/builds.md").read_text()
    assert [full for full in ESTIMATORS if f"`{full.rpartition('.')[2]}`" not in guide] == []


def test_what_else_skops_trusts_is_code_and_neither_unknown_nor_malicious() -> None:
    everything = {
        (full, loader)
        for full in THEIRS
        for loader in ("ObjectNode", "FunctionNode", "LossNode", "SetNode")
    }
    safe = {(full, "ObjectNode") for full in ESTIMATORS}
    said = {one: of_node(*one).verdict() for one in everything}
    assert {one for one in said if said[one] == "safe"} == safe
    assert {said[one] for one in said.keys() - safe} == {"code-carrying"}


@pytest.mark.parametrize("loader", sorted(LOADERS - trusted().keys()))
def test_another_loader_is_not_safe_whatever_it_names(loader: str) -> None:
    for full in (*ESTIMATORS, *PLAIN, "numpy.ndarray", "builtins.dict"):
        assert of_node(full, loader).verdict() != "safe"


@pytest.mark.parametrize("loader", sorted(trusted()))
def test_a_loader_makes_nothing_that_another_one_makes(loader: str) -> None:
    made = trusted()
    for full in set().union(*made.values()) - made[loader]:
        assert of_node(full, loader).verdict() == "code-carrying", full


@pytest.mark.parametrize(
    "model",
    [
        SVC(),
        KMeans(2, n_init=1),
        KNeighborsClassifier(),
        RandomForestClassifier(2),
        MLPClassifier((3,), max_iter=9),
        SGDClassifier(),
        PoissonRegressor(),
        RidgeClassifier(),
        OneHotEncoder(),
        PolynomialFeatures(2),
        SelectKBest(k=2),
        SelectFromModel(LogisticRegression()),
        OneVsRestClassifier(LogisticRegression()),
        FixedThresholdClassifier(LogisticRegression()),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
        DummyClassifier(strategy="stratified", random_state=numpy.random.RandomState(3)),
        TransformedTargetRegressor(Ridge(), func=numpy.log1p, inverse_func=numpy.expm1),
        make_pipeline(FunctionTransformer(numpy.log1p), Ridge()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_any_other_honest_model_is_code_and_it_is_said_what_to_do(model: Any) -> None:
    found = report(skops.io.dumps(fitted(model)))
    assert found.verdict() == "code-carrying", found.findings
    said = [what for _, verdict, what in found.findings if verdict == "code-carrying"]
    assert ADVICE in said
    assert any("is made of " in what for what in said)


def test_a_sparse_matrix_is_code() -> None:
    found = report(skops.io.dumps(fitted(LogisticRegression()).sparsify()))
    assert found.verdict() == "code-carrying"
    assert any("by SparseMatrixNode" in what for _, _, what in found.findings)


@pytest.mark.parametrize("kind", [tuple, list, dict, frozenset, complex, enumerate, zip, len])
def test_what_pythons_own_types_make_is_code_and_no_harm(kind: Any) -> None:
    model = fitted(LinearRegression())
    model.predict = kind
    found = report(skops.io.dumps(model))
    assert found.verdict() == "code-carrying"
    assert f"is made of builtins.{kind.__name__}" in [what for _, _, what in found.findings]


@pytest.mark.parametrize("kind", [eval, exec, open, getattr, vars, print, super])
def test_what_comes_to_anything_is_malicious(kind: Any) -> None:
    assert report(skops.io.dumps(FunctionTransformer(kind))).verdict() == "malicious"
