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


def many(classes: int, trees: int) -> bytes:
    """Return a model of so many classes, of whose trees the first few are left."""
    model = json.loads(grown(objective="multi:softprob", num_class=3).save_raw("json"))
    learner = model["learner"]
    learner["learner_model_param"].update(num_class=f"{classes}", base_score="5E-1")
    learner["objective"]["softmax_multiclass_param"]["num_class"] = f"{classes}"
    forest = learner["gradient_booster"]["model"]
    forest["gbtree_model_param"]["num_trees"] = f"{trees}"
    forest["iteration_indptr"] = [0, trees]
    forest["trees"], forest["tree_info"] = forest["trees"][:trees], forest["tree_info"][:trees]
    return json.dumps(model).encode()


@pytest.mark.parametrize(
    ("classes", "trees", "said"),
    [(9, 9, "safe"), (10, 9, "unknown"), (100_000, 9, "unknown")],
)
def test_there_are_no_more_classes_than_trees(classes: int, trees: int, said: str) -> None:
    """An answer has a number of each class, whatever the trees are."""
    assert verdict(many(classes, trees), "m.json") == said


@pytest.mark.parametrize(("classes", "said"), [(3, "safe"), (1001, "unknown")])
def test_a_model_that_was_never_trained_has_few_classes(classes: int, said: str) -> None:
    assert verdict(many(classes, 0), "m.json") == said


@BOTH
@pytest.mark.parametrize("rounds", [0, 1])
def test_several_targets_with_a_tree_each_are_safe(rounds: int, ending: str) -> None:
    data = xgboost.DMatrix(ROWS, ROWS)
    booster = xgboost.train({"nthread": 1}, data, rounds)
    assert verdict(bytes(booster.save_raw(ending)), f"m.{ending}") == "safe"


def asking(nodes: int, category: int, *, shared: bool) -> bytes:
    """Return a model whose one tree asks so many times for a category."""
    model = json.loads(grown().save_raw("json"))
    forest = model["learner"]["gradient_booster"]["model"]
    tree, size = forest["trees"][0], 2 * nodes + 1
    inner = range(0, size - 1, 2)
    for name in ("base_weights", "loss_changes", "split_conditions", "sum_hessian"):
        tree[name] = [0.0] * size
    tree["default_left"] = tree["split_indices"] = [0] * size
    tree["split_type"] = [int(n in inner) for n in range(size)]
    tree["left_children"] = [n + 1 if n in inner else -1 for n in range(size)]
    tree["right_children"] = [n + 2 if n in inner else -1 for n in range(size)]
    tree["parents"] = [2147483647, *(n for n in inner for _ in "lr")]
    tree["tree_param"]["num_nodes"] = f"{size}"
    tree["categories"] = [category] * (1 if shared else nodes)
    tree["categories_nodes"], tree["categories_sizes"] = [*inner], [1] * nodes
    tree["categories_segments"] = [0] * nodes if shared else [*range(nodes)]
    return json.dumps(model).encode()


def test_nodes_do_not_share_their_categories() -> None:
    """XGBoost makes two megabytes of a few bytes, for each of them."""
    assert verdict(asking(3, 7, shared=False), "m.json") == "safe"
    assert verdict(asking(3, 7, shared=True), "m.json") == "unknown"


def test_what_xgboost_makes_of_categories_is_bounded() -> None:
    assert verdict(asking(127, (1 << 24) - 1, shared=False), "m.json") == "safe"
    assert verdict(asking(129, (1 << 24) - 1, shared=False), "m.json") == "unknown"


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
