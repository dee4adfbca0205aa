"""The head of a LightGBM text and what stands behind its trees are held against themselves too."""

import re
from pathlib import Path
from typing import Any

import lightgbm
import numpy
import pandas
import pytest

from tests.support.scanning import scan_bytes

ROWS = numpy.random.default_rng(0).random((300, 3))
QUIET = {"verbose": -1, "num_threads": 1}


def grown(settings: dict[str, Any], labels: Any = None, **data: Any) -> str:
    """Train two rounds; LightGBM's own text."""
    labels = ROWS[:, 0] + 0.01 if labels is None else labels
    made = lightgbm.Dataset(ROWS, labels, **data)
    return str(lightgbm.train({**QUIET, **settings}, made, 2).model_to_string())


def verdict(text: str) -> str:
    """Scan a text."""
    return scan_bytes("m.txt", text.encode(), Path("/nonexistent")).verdict()


@pytest.fixture(scope="module")
def text() -> str:
    return grown({"objective": "binary"}, ROWS[:, 0] > 0.5)


@pytest.mark.parametrize(
    "objective",
    [
        "multiclass :num_class:6",
        "multiclass num_class:1 :num_class:6",
        "multiclass num_class::6",
        "multiclass num_class:1 num_class:1",
        "multiclass",
        "multiclassova sigmoid:1",
        "binary num_class:1",
        "binary :sigmoid:1",
        "binary sigmoid:1 sigmoid:2",
        "binary sigmoid:x",
        "regression sqrt sqrt",
        "regression alpha",
        "news",
        "sigmoid:1 binary",
        "binary\tsigmoid:1",
    ],
)
def test_an_objective_is_one_that_is_known_with_words_that_are_whole(
    objective: str, text: str
) -> None:
    """LightGBM drops empty pieces: ``:num_class:6`` is a number of classes to it."""
    assert verdict(text) == "safe"
    assert verdict(text.replace("objective=binary sigmoid:1", f"objective={objective}")) == (
        "unknown"
    )


@pytest.mark.parametrize("name", ["binary sigmoid:1", "regression", "lambdarank"])
def test_an_objective_of_one_number_is_of_one_class(name: str, text: str) -> None:
    head = text.replace("num_class=1", "num_class=2", 1)
    head = head.replace("num_tree_per_iteration=1", "num_tree_per_iteration=2", 1)
    assert verdict(head.replace("binary sigmoid:1", name, 1)) == "unknown"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("feature_names=", "feature_names==a="),
        ("feature_names=", "=feature_names=a="),
        ("version=v4\n", "version=v4\n=label_index=0\n"),
        ("version=v4\n", "version=v4\nlabel_index==0\n"),
        ("version=v4\n", "version=v4\nnews=1\n"),
        ("feature_infos=", "feature_infos=none "),
        ("label_index=0", "label_index=x"),
        ("feature_infos=", "monotone_constraints=1\nfeature_infos="),
        ("feature_infos=", "monotone_constraints=x 1 1\nfeature_infos="),
    ],
)
def test_a_line_of_the_head_that_is_read_in_two_ways_is_not_safe(
    old: str, new: str, text: str
) -> None:
    broken = text.replace(old, new, 1)
    assert broken != text
    assert verdict(broken) == "unknown"


LINE = "[boosting: gbdt]\n"
LAST = "pandas_categorical:null"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LINE, LINE + "[]\n"),
        (LINE, LINE + "[x]\n"),
        (LINE, LINE + "[a:]\n"),
        (LINE, LINE + "[: x]\n"),
        (LINE, LINE + "a: x\n"),
        (LINE, LINE + "[a: x\n"),
        (LINE, LINE + ":\n"),
        (LINE, LINE + "parameters:\n"),
        ("end of parameters\n", ""),
        ("end of parameters\n", "end of parameters\nnews\n"),
        ("end of trees\n", "end of trees\nnews\n"),
        ("feature_importances:\n", "feature_importances:\nColumn_0\n"),
        ("feature_importances:\n", "feature_importances:\nColumn_0=x\n"),
        (LAST, LAST + "\n" + LAST),
        (LAST, LAST + "\nnews"),
        (LAST, "pandas_categorical:[null]"),
        (LAST, 'pandas_categorical:{"a": 1}'),
        (LAST, "pandas_categorical:[[[1]]]"),
        (LAST, "pandas_categorical:[[1]"),
        (LAST, "pandas_categorical:" + "[" * 50_000),
        (LAST, "pandas_categorical:" + "9" * 9_000),
        (LAST, "pandas_categorical:"),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_what_stands_behind_the_trees_is_read_to_the_end(
    old: str, new: str, ending: str, text: str
) -> None:
    """LightGBM takes each parameter apart at its colon, whatever it has of one."""
    head, found, tail = text.partition("end of trees\n")
    whole = (found + tail).replace(old, new, 1)
    assert whole != found + tail
    assert verdict(head + (found + tail).replace("\n", ending)) == "safe"
    assert verdict(head + whole.replace("\n", ending)) == "unknown"


def test_a_tree_has_bits_that_are_numbers() -> None:
    codes = (ROWS * 8).astype(int).astype(float)
    made = lightgbm.Dataset(codes, codes[:, 0] % 3, categorical_feature=[0])
    whole = lightgbm.train({**QUIET, "min_data_in_leaf": 5}, made, 1).model_to_string()
    assert verdict(whole) == "safe"
    broken = re.sub(r"cat_threshold=\d", "cat_threshold=x", whole)
    assert broken != whole
    assert verdict(broken) == "unknown"


LABELS = (ROWS[:, 0] * 3).astype(int)
SQUARED = {"reg_sqrt": True}


@pytest.mark.parametrize(
    ("settings", "labels", "data"),
    [
        *(
            ({"objective": name, **more}, None, {})
            for name in (
                *("regression", "regression_l1", "huber", "fair", "poisson", "quantile"),
                *("mape", "gamma", "tweedie"),
            )
            for more in ({}, SQUARED)
        ),
        ({"objective": "cross_entropy"}, ROWS[:, 0], {}),
        ({"objective": "cross_entropy_lambda"}, ROWS[:, 0], {}),
        ({"objective": "binary", "is_unbalance": True, "sigmoid": 1e-5}, LABELS > 0, {}),
        ({"objective": "multiclass", "num_class": 3}, LABELS, {}),
        ({"objective": "multiclassova", "num_class": 3}, LABELS, {}),
        ({"objective": "lambdarank"}, LABELS, {"group": [100] * 3}),
        ({"objective": "rank_xendcg"}, LABELS, {"group": [100] * 3}),
        ({"objective": lambda found, data: (found - data.get_label(), found * 0 + 1)}, None, {}),
        (
            {"objective": lambda found, _: (found * 0, found * 0 + 1), "num_class": 3},
            LABELS,
            {},
        ),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, None, {}),
        ({"boosting": "dart", "monotone_constraints": [1, 0, -1]}, None, {}),
        ({"interaction_constraints": [[0, 1], [2]], "linear_tree": True}, None, {}),
        ({"metric": ["l1", "l2"], "max_bin_by_feature": [9, 9, 9]}, None, {}),
        ({}, None, {"feature_name": ["größe", "a=b", "x y"]}),
        ({"min_data_in_leaf": 900}, None, {}),
    ],
)
def test_what_lightgbm_writes_of_its_own_accord_is_safe(
    settings: dict[str, Any], labels: Any, data: Any
) -> None:
    assert verdict(grown(settings, labels, **data)) == "safe"


@pytest.mark.parametrize("kinds", [["a", "b", "c"], [1, 2, 3], [1.5, 2.5, 1e300], [True, False]])
def test_a_model_of_categories_of_pandas_is_safe(kinds: list[Any], tmp_path: Path) -> None:
    column = pandas.Categorical([kinds[n % len(kinds)] for n in range(300)], kinds)
    table = pandas.DataFrame({"a": column, "b": ROWS[:, 1]})
    booster = lightgbm.train(QUIET, lightgbm.Dataset(table, ROWS[:, 0]), 2)
    booster.save_model(tmp_path / "m.txt", importance_type="gain")
    assert verdict((tmp_path / "m.txt").read_text()) == "safe"


def test_a_model_that_stopped_early_and_was_written_again_is_safe(tmp_path: Path) -> None:
    made = lightgbm.Dataset(ROWS, ROWS[:, 0] > 0.5)
    stop = lightgbm.early_stopping(2, verbose=False)
    settings = {**QUIET, "objective": "binary", "learning_rate": 0.9}
    valid = lightgbm.Dataset(ROWS[:50], ROWS[:50, 1] > 0.5, reference=made)
    booster = lightgbm.train(settings, made, 50, valid_sets=[valid], callbacks=[stop])
    assert 0 < booster.best_iteration < 50
    once = booster.model_to_string()
    again = lightgbm.Booster(model_str=once).model_to_string()
    assert verdict(once) == verdict(again) == "safe"


def test_a_tree_of_one_leaf_that_says_it_is_linear_is_not_safe() -> None:
    """LightGBM goes on to ask for children, and ends the process."""
    settings = {"objective": "regression", "linear_tree": False, "min_data_in_leaf": 1000}
    made = lightgbm.Dataset(ROWS, ROWS[:, 0])
    text = str(lightgbm.train({**QUIET, **settings}, made, 1).model_to_string())
    assert "num_leaves=1\n" in text
    assert verdict(text) == "safe"
    linear = "is_linear=1\nleaf_const=0.5\nnum_features=0\nleaf_features=\nleaf_coeff=\n"
    assert verdict(text.replace("is_linear=0\n", linear)) == "unknown"
    assert verdict(text.replace("leaf_value=", "leaf_value=na")) == "unknown"
