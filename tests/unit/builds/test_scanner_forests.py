"""Forests of XGBoost and LightGBM that lead outside are not safe, however they begin."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.models import lightgbm_model, xgboost_model
from workers.builder.scanning.files import scan_bytes


def verdict(data: bytes, name: str) -> str:
    """Scan bytes."""
    return scan_bytes(name, data, Path("/nonexistent")).verdict()


def changed(change: Any) -> bytes:
    """Return XGBoost's JSON with a change in its first tree."""
    ((_, data),) = xgboost_model(".json").files.items()
    model = json.loads(data)
    change(model["learner"]["gradient_booster"]["model"]["trees"][0], model["learner"])
    return json.dumps(model).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda tree, _: tree["left_children"].__setitem__(0, 10_000),
        lambda tree, _: tree["left_children"].__setitem__(0, 0),
        lambda tree, _: tree["right_children"].__setitem__(0, tree["left_children"][0]),
        lambda tree, _: tree["split_indices"].__setitem__(0, 999),
        lambda tree, _: tree["split_indices"].__setitem__(0, -1),
        lambda tree, _: tree["left_children"].pop(),
        lambda tree, _: tree["tree_param"].__setitem__("num_nodes", "x"),
        lambda tree, learner: learner.pop("objective"),
        lambda tree, learner: learner["gradient_booster"]["model"]["trees"].pop(),
    ],
)
def test_a_forest_of_xgboost_that_leads_outside_or_in_a_circle_is_not_safe(change: Any) -> None:
    assert verdict(changed(lambda *_: None), "m.json") == "safe"
    assert verdict(changed(change), "m.json") == "unknown"


def test_a_forest_of_xgboost_is_one_wherever_its_learner_stands() -> None:
    broken = changed(lambda tree, _: tree["left_children"].__setitem__(0, 10_000))
    for size in (10, 5000, 1 << 20):
        late = b'{"before":"' + b"x" * size + b'",' + broken[1:]
        assert verdict(late, "m.json") == "unknown"
    assert verdict(b'["learner"]', "m.json") == verdict(b'{"a":"learner"}', "m.json") == "safe"


def test_a_forest_of_lightgbm_is_one_by_its_first_line() -> None:
    ((name, data),) = lightgbm_model().files.items()
    for line in (b"tree\r\n", b"tree\nnum_class=3\n", b"tree\n\n"):
        assert verdict(line + data.removeprefix(b"tree\n"), name) == "safe"
        broken = line + data.removeprefix(b"tree\n").replace(b"left_child=", b"left_child=9999 ", 1)
        assert verdict(broken, name) == "unknown"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"left_child=", b"left_child=99999 "),
        (b"end of trees", b"end of frees"),
        (b"num_leaves=", b"num_leaves=9"),
        (b"split_feature=", b"split_feature=-1 "),
        (b"Tree=1\n", b""),
    ],
)
def test_a_forest_of_lightgbm_that_leads_outside_is_not_safe(old: bytes, new: bytes) -> None:
    ((name, data),) = lightgbm_model().files.items()
    assert verdict(data, name) == "safe"
    assert old in data
    assert verdict(data.replace(old, new, 1), name) == "unknown"
