"""Forests of XGBoost and LightGBM that lead outside are not safe, however they begin."""

import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy
import pytest
import xgboost

from tests.properties.scanning.drawn import Chance
from tests.properties.scanning.forests import (
    tar,
    tar_in_ubjson,
    tensors_in_ubjson,
    ubjson,
)
from tests.properties.scanning.forests import xgboost_model as leading_outside
from tests.support.models import lightgbm_model, xgboost_model
from tests.support.scanning import scan_bytes


def verdict(data: bytes, name: str) -> str:
    """Scan bytes."""
    return scan_bytes(name, data, Path("/nonexistent")).verdict()


@functools.cache
def grown() -> bytes:
    """Train trees of XGBoost; its JSON."""
    ((_, data),) = xgboost_model(".json").files.items()
    return data


def changed(change: Any) -> bytes:
    """Return XGBoost's JSON with a change in its first tree."""
    model = json.loads(grown())
    change(model["learner"]["gradient_booster"]["model"]["trees"][0], model["learner"])
    return json.dumps(model).encode()


def swap(tree: Any) -> None:
    """Let the first node's branches lie the other way round; XGBoost goes to the left one and to
    the node behind it."""
    left, right = tree["left_children"], tree["right_children"]
    left[0], right[0] = right[0], left[0]


def deep(levels: int) -> Any:
    """Return a change to a tree that goes on to the right for so many levels."""

    def change(tree: Any, _: Any) -> None:
        size = 2 * levels + 1
        inner = range(0, size - 1, 2)
        for name in ("base_weights", "loss_changes", "split_conditions", "sum_hessian"):
            tree[name] = [0.0] * size
        for name in ("default_left", "split_indices", "split_type"):
            tree[name] = [0] * size
        tree["left_children"] = [n + 1 if n in inner else -1 for n in range(size)]
        tree["right_children"] = [n + 2 if n in inner else -1 for n in range(size)]
        tree["parents"] = [2147483647, *(n for n in inner for _ in "lr")]
        tree["tree_param"]["num_nodes"] = str(size)

    return change


@pytest.mark.parametrize(("levels", "said"), [(10_000, "safe"), (10_001, "unknown")])
def test_a_tree_is_so_many_levels_deep_at_most(levels: int, said: str) -> None:
    """XGBoost ends the replica by its stack at some 300,000, once two rows are asked for."""
    assert verdict(changed(deep(levels)), "m.json") == said


@pytest.mark.parametrize(("features", "said"), [(100_000, "safe"), (100_001, "unknown")])
def test_a_forest_has_so_many_features_at_most(features: int, said: str) -> None:
    """XGBoost takes memory for each of them and each of 64 rows, in an MLflow folder."""
    data = changed(
        lambda _, learner: learner["learner_model_param"].update(num_feature=f"{features}")
    )
    assert verdict(data, "m.json") == said


@pytest.mark.parametrize(
    "change",
    [
        lambda tree, _: tree["left_children"].__setitem__(0, 10_000),
        lambda tree, _: tree["left_children"].__setitem__(0, 0),
        lambda tree, _: tree["right_children"].__setitem__(0, tree["left_children"][0]),
        lambda tree, _: swap(tree),
        lambda tree, _: tree["split_indices"].__setitem__(0, 999),
        lambda tree, _: tree["split_indices"].__setitem__(0, -1),
        lambda tree, _: tree["left_children"].pop(),
        lambda tree, _: tree["tree_param"].__setitem__("num_nodes", "x"),
        lambda tree, _: tree.update(id=1),  # as the next: XGBoost 3.2 has no first tree then
        lambda tree, _: tree.update(id=-1),
        lambda tree, _: tree.pop("id"),
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


def forest(model: Any) -> Any:
    """Return XGBoost's forest."""
    return model["gradient_booster"]["model"]


def parts(**values: Any) -> Any:
    """Return a change that gives the first tree these parts."""
    return lambda tree, _: tree.update(values)


def setting(name: str, value: str) -> Any:
    """Return a change of a number that the whole model has."""
    return lambda _, learner: learner["learner_model_param"].update({name: value})


def categories(**values: list[int]) -> Any:
    """Return a change by which the root asks for a category."""
    whole = {"nodes": [0], "segments": [0], "sizes": [1], "categories": [3], **values}

    def change(tree: Any, _: Any) -> None:
        tree["split_type"][0] = 1
        for name, value in whole.items():
            tree[name if name == "categories" else f"categories_{name}"] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(
            lambda _, learner, n=n: forest(learner)["tree_info"].__setitem__(0, n)
            for n in (1, 5, -1, 500_000_000, 0.5)
        ),
        lambda _, learner: forest(learner).update(iteration_indptr=[0, 1, 100_000]),
        lambda _, learner: forest(learner).update(iteration_indptr=[]),
        lambda _, learner: forest(learner)["gbtree_model_param"].update(num_parallel_tree="99999"),
        lambda _, learner: forest(learner).update(news=[]),
        lambda _, learner: forest(learner).update(weight_drop=[1.0]),
        lambda _, learner: forest(learner)["cats"].update(feature_segments=[0, 5, 1 << 30]),
        lambda _, learner: forest(learner)["cats"].update(sorted_idx=[5]),
        lambda _, learner: learner["objective"].update(softmax={"num_class": "0"}),
        setting("num_class", "1000000000"),
        setting("num_target", "1000000000"),
        setting("num_class", "-1"),
        setting("base_score", "[0.5,0.5,0.5]"),
        setting("num_feature", "-1"),
        lambda tree, _: tree["tree_param"].update(size_leaf_vector="100000"),
        lambda tree, _: tree["parents"].__setitem__(1, 10**9),
        lambda tree, _: tree["parents"].__setitem__(1, 2),
        lambda tree, _: tree["parents"].__setitem__(0, 1),
        parts(parents=[]),
        parts(base_weights=[]),
        parts(loss_changes=[]),
        parts(sum_hessian=[]),
        parts(leaf_weights=[]),
        parts(split_type=[]),
        lambda tree, _: tree["split_type"].__setitem__(0, 1),
        lambda tree, _: tree["split_type"].__setitem__(0, 2),
        categories(sizes=[100_000]),
        categories(segments=[1 << 40]),
        categories(segments=[-1]),
        categories(sizes=[0]),
        categories(categories=[-1]),
        categories(categories=[(1 << 31) - 1]),
        categories(nodes=[1 << 20]),
        categories(nodes=[]),
        categories(sizes=[]),
    ],
)
def test_no_number_of_xgboosts_leads_outside_what_it_counts(change: Any) -> None:
    assert verdict(changed(change), "m.json") == "unknown"


def test_a_node_of_xgboosts_may_ask_for_a_category() -> None:
    assert verdict(changed(categories()), "m.json") == "safe"


@pytest.mark.parametrize("name", ["m.json", "m.txt", "m.yaml", "m.csv", "schema.json", "MLmodel"])
def test_blanks_and_endings_do_not_hide_a_forest(name: str) -> None:
    ((_, lines),) = lightgbm_model().files.items()
    outside = changed(lambda tree, _: tree["left_children"].__setitem__(0, 10_000))
    for broken in (
        b" " * 5000 + outside,
        b"\n" * (1 << 20) + outside,
        b"tree\nversion=v4\nbroken",
        b"tree\rversion=v4\rbroken",
        b"tree\r\nversion=v4\r\nbroken",
        lines.replace(b"left_child=", b"left_child=9", 1),
    ):
        assert verdict(broken, name) != "safe"


def test_a_member_that_stands_twice_is_read_by_nobody() -> None:
    whole = changed(lambda *_: None)
    twice = whole.replace(b'"tree_info"', b'"tree_info": [900], "tree_info"', 1)
    assert verdict(twice, "m.json") == "unknown"


@functools.cache
def grown_from_categories() -> bytes:
    """Train a tree of LightGBM that asks for a category; its own file."""
    import lightgbm
    import numpy

    values = numpy.random.default_rng(0).integers(0, 8, (300, 2))
    data = lightgbm.Dataset(values, values[:, 0] % 3, categorical_feature=[0])
    text = lightgbm.train({"verbose": -1, "min_data_in_leaf": 5}, data, 2).model_to_string()
    assert "cat_threshold=" in text
    return str(text).encode()


def resized(data: bytes) -> bytes:
    """Write anew how long each tree is, so that LightGBM finds it."""
    trees = re.split(rb"(?<=[\r\n])(?=Tree=)", re.split(rb"(?=end of trees)", data)[0])[1:]
    sizes = b" ".join(b"%d" % len(tree) for tree in trees)
    return re.sub(rb"tree_sizes=[^\r\n]*", b"tree_sizes=" + sizes, data, count=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb"num_tree_per_iteration=1", rb"num_tree_per_iteration=2"),
        (rb"num_class=1", rb"num_class=100000000"),
        (rb"num_tree_per_iteration=1\n", b"num_tree_per_iteration=1\n=num_class=7\n"),
        (rb"objective=\w+", b"objective=multiclass num_class:9"),
        (rb"tree_sizes=\d+", b"tree_sizes=90000000"),
        (rb"max_feature_idx=1", b"max_feature_idx=90000000"),
        (rb"num_cat=\d+", b"num_cat=0"),
        (rb"num_cat=\d+", b"num_cat=900"),
        (rb"cat_boundaries=0", b"cat_boundaries=90000000"),
        (rb"cat_boundaries=0 \d+", b"cat_boundaries=0 90000000"),
        (rb"cat_threshold=\d+", b"cat_threshold="),
        (rb"\nthreshold=\d+", b"\nthreshold=100000000"),
        (rb"\nthreshold=0", b"\nthreshold=\xd9\xa0"),
        (rb"decision_type=\d+", b"decision_type="),
        (rb"(left_child=)", b"left_child=90000000\n\\1"),
        (rb"(left_child=)", b"left_child=90000000\nx\n\\1"),
        (rb"(left_child=)", b"left_child=90000000\nx=\xe2\x80\xa8\\1"),
        (rb"(left_child=)", b"left_child=90000000\nx=\x0b\\1"),
        (rb"(left_child=)", b"\n\\1"),
        (rb"is_linear=0", b"is_linear=1"),
        (rb"objective=[^\n]*", b"objective="),
        (rb"objective=[^\n]*", b"objective= \t"),
        (rb"num_cat=\d+\n", b""),
        (rb"leaf_value=\S+", b"leaf_value=x"),
        (rb"leaf_value=\S+", b"leaf_value=na"),
        (rb"(left_child=)", b" left_child=90000000\n\\1"),
        (rb"leaf_weight=\S+", b"leaf_weight="),
        (rb"leaf_weight=", b"leaf_weight=1 "),
        (rb"leaf_count=\d+", b"leaf_count=x"),
        (rb"split_gain=\S+", b"split_gain=1_0"),
        (rb"internal_value=", b"internal_value=0 "),
        (rb"internal_weight=\S+", b"internal_weight=x"),
        (rb"internal_count=", b"internal_count=1 "),
        (rb"shrinkage=\S+", b"shrinkage=x"),
        (rb"shrinkage=", b"\0="),
    ],
)
@pytest.mark.parametrize("ending", [b"\n", b"\r"])
def test_no_number_of_lightgbms_leads_outside_what_it_counts(
    old: bytes, new: bytes, ending: bytes
) -> None:
    data = grown_from_categories()
    broken = re.sub(old, new, data, count=1)
    assert broken != data
    assert verdict(resized(data.replace(b"\n", ending)), "m.txt") == "safe"
    broken = broken.replace(b"\n", ending)
    assert verdict(broken if b"tree_sizes" in new else resized(broken), "m.txt") == "unknown"


def test_leaves_of_lightgbm_that_are_lines_ask_for_features_that_there_are() -> None:
    import lightgbm
    import numpy

    values = numpy.random.default_rng(0).random((300, 3))
    data = lightgbm.Dataset(values, values.sum(axis=1))
    settings = {"verbose": -1, "linear_tree": True, "num_leaves": 4}
    text = lightgbm.train(settings, data, 2).model_to_string().encode()
    assert verdict(text, "m.txt") == "safe"
    for name, old in (
        (b"leaf_features=", rb"\d"),
        (b"leaf_const=", rb"\S+"),
        (b"num_features=", rb"\d"),
        (b"leaf_coeff=", rb"\S+"),
    ):
        new = name + (b"" if old == rb"\S+" else b"9")
        old = name + old
        broken = resized(re.sub(old, new, text, count=1))
        assert broken != text
        assert verdict(broken, "m.txt") == "unknown"


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


def told(data: bytes, name: str) -> str:
    """Scan bytes and return what is told of them."""
    report = scan_bytes(name, data, Path("/nonexistent"))
    return f"{report.verdict()}: " + "; ".join(what for _, _, what in report.findings)


@pytest.mark.parametrize(
    "name", ["m.txt", "a.csv", "conda.yaml", "m.json", "README.md", "LICENSE", "m.ubj", "MLmodel"]
)
def test_ubjson_is_ubjson_by_any_name(name: str) -> None:
    """XGBoost takes what it does not know for it."""
    for seed in range(9):
        broken = ubjson(leading_outside(Chance(seed)))
        assert broken.isascii()
        assert "unknown: is a broken model of XGBoost: " in told(broken, name).replace("\n", " ")


def test_ubjson_is_ubjson_inside_of_tensors_and_of_a_tar() -> None:
    for seed in range(9):
        model = leading_outside(Chance(seed))
        for data, name in (
            (tensors_in_ubjson(Chance(seed), model), "model.safetensors"),
            (tar_in_ubjson(model), "a.tar"),
        ):
            assert "is a broken model of XGBoost: " in told(data, name)


def test_a_whole_model_in_ubjson_is_one_by_any_name() -> None:
    ((_, data),) = xgboost_model(".ubj").files.items()
    assert verdict(data, "model.ubj") == "safe"
    for broken in (data + b" ", data[:-1], data[:-1] + b"L" + bytes(7) + b"\7learnerZ}"):
        assert told(broken, "model.safetensors").startswith("unknown: is a broken model of XGBoost")


def test_a_tar_that_begins_as_lines_of_lightgbm_is_not_safe() -> None:
    assert verdict(tar(b"notes", b"hello"), "a.tar") == "code-carrying"
    assert "is a broken model of LightGBM" in told(tar(b"tree\nversion=v4\n", b"hello"), "a.tar")


@pytest.mark.parametrize("booster", [b"gbtree", b"gblinear", b"dart"])
@pytest.mark.parametrize(
    ("start", "name"), [(b"PAR1", "a.parquet"), (b"binf", "m.txt"), (b"# me", "README.md")]
)
def test_what_xgboost_read_before_its_3_1_is_not_safe(
    booster: bytes, start: bytes, name: str
) -> None:
    """136 bytes of numbers, an objective and a booster, each text behind its length."""
    names = b"".join(len(one).to_bytes(8, "little") + one for one in (b"reg:linear", booster))
    assert verdict(start + bytes(132), name) == "safe"
    assert "is of an old binary form" in told(start + bytes(132) + names + bytes(99), name)


def test_texts_that_begin_an_object_or_speak_of_a_learner_are_texts() -> None:
    for text in (
        b"{i: 1}",
        b"{L: 1, learner: gbtree}",
        b"{Use the learner} " * 99,
        b"{U" * 500,
        b"gbtree, dart: the learner's boosters",
    ):
        assert verdict(text, "notes.txt") == verdict(text, "a.html") == "safe"


def test_leaves_of_several_numbers_are_told_from_what_is_broken() -> None:
    data = changed(lambda tree, _: tree["tree_param"].update(size_leaf_vector="3"))
    said = told(data, "m.json")
    assert said.startswith(
        "unknown: is a model of XGBoost that may be whole, but leaves of several"
    )
    assert "one_output_per_tree" in said
    assert "upload it anew" not in said


def test_a_forest_that_was_never_trained_may_say_how_it_would_have_been() -> None:
    booster = xgboost.train(
        {"num_parallel_tree": 7}, xgboost.DMatrix(numpy.eye(3), numpy.arange(3)), num_boost_round=0
    )
    assert verdict(bytes(booster.save_raw("json")), "m.json") == "safe"
    assert verdict(bytes(booster.save_raw("ubj")), "m.ubj") == "safe"


@pytest.mark.filterwarnings("ignore:.*You have manually specified the `updater`")
def test_a_node_that_was_pruned_may_keep_its_categories() -> None:
    values = numpy.random.default_rng(0).integers(0, 6, (200, 1)).astype(float)
    data = xgboost.DMatrix(values, values[:, 0] == 2, feature_types=["c"], enable_categorical=True)
    grown = xgboost.train({"max_cat_to_onehot": 1}, data, 2)
    prune = {"process_type": "update", "updater": "prune", "gamma": 1e6}
    pruned = xgboost.train(prune, data, 2, xgb_model=grown)
    tree = json.loads(pruned.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"][0]
    assert tree["categories_nodes"] == [0] and tree["left_children"][0] == -1
    for kind in ("json", "ubj"):
        assert verdict(bytes(pruned.save_raw(kind)), f"m.{kind}") == "safe"


@pytest.mark.filterwarnings("ignore:.*You have manually specified the `updater`")
@pytest.mark.parametrize("parent", [-1, 0x7FFFFFFF, 1 << 20])
def test_a_node_that_nothing_leads_to_has_a_parent_in_its_tree(parent: int) -> None:
    """XGBoost goes to the parents of such nodes too, without a check."""
    values = numpy.random.default_rng(0).random((200, 2))
    data = xgboost.DMatrix(values, values[:, 0] > values[:, 1])
    grown = xgboost.train({"max_depth": 4}, data, 2)
    prune = {"process_type": "update", "updater": "prune", "gamma": 20}
    pruned = xgboost.train(prune, data, 2, xgb_model=grown).save_raw("json")
    assert verdict(bytes(pruned), "m.json") == "safe"
    model = json.loads(pruned)
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    led = {0, *tree["left_children"], *tree["right_children"]}
    alone = [node for node in range(len(tree["parents"])) if node not in led]
    assert alone
    tree["parents"][alone[-1]] = parent
    assert verdict(json.dumps(model).encode(), "m.json") == "unknown"


@pytest.mark.parametrize(
    "data",
    [
        b'{"the": 1, "learner": 2, "a": 3}',
        b'{"learner": {"name": "ppo"}}',
        b'{"n": 0, "learner": "lgbm"}\n{"n": 1, "learner": "xgboost"}\n',
        b'{"\\u0120the": 0, "learner": 1, "\\"": 2}',
        b'{"learner": {}, "gradient_booster": {}}',
    ],
)
def test_json_that_speaks_of_a_learner_is_json(data: bytes) -> None:
    """XGBoost ends where it finds no booster in it."""
    assert verdict(data, "a.json") == verdict(data, "a.jsonl") == "safe"
    with pytest.raises(xgboost.core.XGBoostError):
        xgboost.Booster(model_file=bytearray(data))


def test_words_under_a_tree_are_words() -> None:
    """LightGBM ends where it finds no number of classes."""
    assert verdict(b"tree\nbush\nhouse\n", "labels.txt") == "safe"
    for classes in (b"num_class=1", b"num_class"):
        assert verdict(b"tree\n" + classes + b"\n", "labels.txt") == "unknown"


@pytest.mark.parametrize("key", [b"gradient_booster", b"gradient\\u005fbooster"])
def test_a_member_that_readers_read_differently_is_refused(key: bytes) -> None:
    evil = changed(lambda tree, _: tree["left_children"].__setitem__(0, 10_000))
    good = json.dumps(json.loads(grown())["learner"]["gradient_booster"]).encode()
    place = evil.index(b'"gradient_booster"')
    both = evil[:place] + b'"' + key + b'": ' + good + b", " + evil[place:]
    assert verdict(both, "m.json") == "unknown"
    assert verdict(both.replace(b'"gradient_booster"', b'"x"', 1), "m.json") == "unknown"
