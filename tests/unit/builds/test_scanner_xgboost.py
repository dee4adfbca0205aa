"""What a model of XGBoost says of its best round is one of its rounds."""

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
import xgboost

from tests.support.scanning import scan_bytes

ROWS = numpy.random.default_rng(0).random((90, 3))
OUTSIDE = ("-1", "-3", "-1000000", "-2147483648", "3", "2147483646", "2147483647", "4294967296")
SPELLED = ("", "x", "+1", " 1", "01", "1_0", "1.0", "-0", "\u0661")


def grown(**settings: Any) -> xgboost.Booster:
    """Train three rounds."""
    data = xgboost.DMatrix(ROWS, (ROWS[:, 0] * 3).astype(int))
    return xgboost.train({"nthread": 1, "max_depth": 2, **settings}, data, 3)


def saved(booster: xgboost.Booster, best: str, ending: str = "json") -> bytes:
    """Return a booster's file that says this of its best round."""
    booster.set_attr(best_iteration=best)
    return bytes(booster.save_raw(ending))


def verdict(data: bytes, name: str) -> str:
    """Scan bytes."""
    return scan_bytes(name, data, Path("/nonexistent")).verdict()


BOTH = pytest.mark.parametrize("ending", ["json", "ubj"])
KINDS: list[dict[str, Any]] = [
    {},
    {"booster": "dart"},
    {"objective": "multi:softprob", "num_class": 3},
    {"num_parallel_tree": 2, "subsample": 0.5},
]


@BOTH
@pytest.mark.filterwarnings("ignore")  # XGBoost has advice for each way of training
@pytest.mark.parametrize("settings", KINDS)
def test_a_best_round_is_one_of_the_rounds(settings: dict[str, Any], ending: str) -> None:
    booster = grown(**settings)
    for best in ("0", "1", "2"):
        assert verdict(saved(booster, best, ending), f"m.{ending}") == "safe"
    for best in (*OUTSIDE, *SPELLED):
        assert verdict(saved(booster, best, ending), f"m.{ending}") == "unknown", best


@pytest.mark.filterwarnings("ignore")
def test_weights_have_a_best_round_that_is_a_number() -> None:
    booster = grown(booster="gblinear")
    assert verdict(saved(booster, "2"), "m.json") == "safe"
    assert verdict(saved(booster, "-3"), "m.json") == "unknown"


def test_attributes_are_texts_by_name() -> None:
    model = json.loads(grown().save_raw("json"))
    for attributes in ([], {"best_iteration": 1}, {"best_iteration": None}, {"a": [1]}, "x"):
        model["learner"]["attributes"] = attributes
        assert verdict(json.dumps(model).encode(), "m.json") == "unknown"
    del model["learner"]["attributes"]
    assert verdict(json.dumps(model).encode(), "m.json") == "safe"


def test_a_forest_without_its_rounds_has_those_of_its_trees() -> None:
    model = json.loads(saved(grown(objective="multi:softprob", num_class=3), "2"))
    del model["learner"]["gradient_booster"]["model"]["iteration_indptr"]
    assert verdict(json.dumps(model).encode(), "m.json") == "safe"
    model["learner"]["attributes"]["best_iteration"] = "3"
    assert verdict(json.dumps(model).encode(), "m.json") == "unknown"


def test_a_model_of_xgboosts_own_classes_that_stopped_early_is_safe(tmp_path: Path) -> None:
    labels = (ROWS[:, 0] * 3).astype(int)
    model = xgboost.XGBClassifier(
        n_estimators=60, early_stopping_rounds=3, learning_rate=0.9, n_jobs=1
    )
    model.fit(ROWS, labels, eval_set=[(ROWS[:30], labels[::3])], verbose=False)
    assert model.best_iteration < 59
    for name in ("m.json", "m.ubj"):
        model.save_model(tmp_path / name)
        assert verdict((tmp_path / name).read_bytes(), name) == "safe"
