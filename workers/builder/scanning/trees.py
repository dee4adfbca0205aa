"""Holds a file of boosted trees against itself: XGBoost and LightGBM follow it without a check.

Both read node numbers out of the file and go where they lead, in C++; one that leads outside or in
a circle reads foreign memory or never ends. Sources: xgboost ``src/tree/tree_model.cc`` and
``doc/model.schema``; LightGBM ``src/io/tree.cpp``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import IO, Any

from workers.builder.scanning import ubjson

MAX_JSON, MAX_TEXT = 256 << 20, 512 << 20
MAX_TREES = 1_000_000
# Its first line: LightGBM ``src/boosting/boosting.cpp``, ``GetBoostingTypeFromModelFile``.
LIGHTGBM = b"tree"
WHOLE = re.compile(r"-?\d{1,10}")


class NotTrees(Exception):
    """The file is not what its trees, and those who follow them, need."""


def xgboost_json(stream: IO[bytes]) -> bool:
    """Tell whether a JSON file is a model of XGBoost; raise :class:`NotTrees` when a broken one."""
    stream.seek(0)
    if not stream.read(4096).lstrip().startswith(b"{") or not _holds(stream, b'"learner"'):
        return False
    if stream.seek(0, 2) > MAX_JSON:
        raise NotTrees(f"it is larger than {MAX_JSON >> 20} MB: write it as .ubj")
    stream.seek(0)
    try:
        model = json.loads(stream.read())
    except (ValueError, RecursionError):
        raise NotTrees("it is no whole JSON") from None
    if not isinstance(model, dict) or "learner" not in model:
        return False
    _xgboost(model)
    return True


def _holds(stream: IO[bytes], word: bytes) -> bool:
    """Tell whether a word stands anywhere: XGBoost passes over members that it does not know."""
    stream.seek(0)
    before = b""
    while piece := stream.read(1 << 20):
        if word in before + piece:
            return True
        before = piece[-len(word) :]
    return False


def xgboost_ubjson(stream: IO[bytes]) -> None:
    """Raise :class:`NotTrees` unless ``stream`` is a whole model of XGBoost in UBJSON."""
    try:
        _xgboost(ubjson.decode(stream))
    except ubjson.NotUbjson as error:
        raise NotTrees(str(error)) from None


def _xgboost(model: Any) -> None:
    learner = _member(model, "learner", dict)
    booster = _member(learner, "gradient_booster", dict)
    _member(learner, "objective", dict)
    features = _count(_member(learner, "learner_model_param", dict), "num_feature")
    name = booster.get("name")
    if name == "gblinear":
        weights = _member(_member(booster, "model", dict), "weights", Sequence)
        if len(weights) % (features + 1):
            raise NotTrees("its weights are not one for each feature and group")
        return
    if name not in {"gbtree", "dart"}:
        raise NotTrees("its booster is not known")
    inner = _member(booster, "gbtree", dict) if name == "dart" else booster
    forest = _member(inner, "model", dict)
    trees = _member(forest, "trees", list)
    if len(trees) != _count(_member(forest, "gbtree_model_param", dict), "num_trees"):
        raise NotTrees("it holds another number of trees than it says")
    if len(_member(forest, "tree_info", Sequence)) != len(trees):
        raise NotTrees("it does not say of each tree what it is for")
    for number, tree in enumerate(trees):
        _xgboost_tree(number, tree, features)


def _xgboost_tree(number: int, tree: Any, features: int) -> None:
    size = _count(_member(tree, "tree_param", dict), "num_nodes")
    parts = ("left_children", "right_children", "split_indices", "split_conditions", "default_left")
    left, right, splits, *others = (_member(tree, part, Sequence) for part in parts)
    if {size} != {len(left), len(right), len(splits), *(len(part) for part in others)}:
        raise NotTrees(f"tree {number} has parts of different lengths")
    children = {
        node: (left[node], right[node])
        for node in range(size)
        if left[node] != -1 or right[node] != -1
    }
    for node in _follow(number, children, size):
        if node in children and not 0 <= _whole(splits[node]) < max(features, 1):
            raise NotTrees(f"tree {number} asks for a feature that there is not")


def lightgbm(stream: IO[bytes]) -> bool:
    """Tell whether a text is a model of LightGBM; raise :class:`NotTrees` when a broken one."""
    stream.seek(0)
    if stream.readline(80).strip() != LIGHTGBM:
        return False
    if stream.seek(0, 2) > MAX_TEXT:
        raise NotTrees(f"it is larger than {MAX_TEXT >> 20} MB")
    stream.seek(0)
    try:
        text = stream.read().decode("utf-8")
    except UnicodeDecodeError:
        raise NotTrees("it is no text") from None
    head, *blocks = re.split(r"^Tree=", text.partition("\nend of trees\n")[0], flags=re.MULTILINE)
    if "\nend of trees\n" not in text:
        raise NotTrees("it has no end")
    facts = _pairs(head)
    sizes = facts.get("tree_sizes", "").split()
    if len(blocks) != len(sizes) or len(blocks) > MAX_TREES:
        raise NotTrees("it holds another number of trees than it says")
    features = _number(facts.get("max_feature_idx", "")) + 1
    for number, block in enumerate(blocks):
        _lightgbm_tree(number, _pairs(block), features)
    return True


def _lightgbm_tree(number: int, facts: Mapping[str, str], features: int) -> None:
    leaves = _number(facts.get("num_leaves", ""))
    if leaves < 1 or len(facts.get("leaf_value", "").split()) != leaves:
        raise NotTrees(f"tree {number} has another number of leaves than it says")
    if leaves == 1:
        return
    left, right, splits, bounds = (
        facts.get(part, "").split()
        for part in ("left_child", "right_child", "split_feature", "threshold")
    )
    if {len(left), len(right), len(splits), len(bounds)} != {leaves - 1}:
        raise NotTrees(f"tree {number} has parts of different lengths")
    # Inner nodes come first, leaf n is -n-1.
    size = 2 * leaves - 1
    children = {
        node: tuple(
            child if child >= 0 else leaves - 1 + ~child
            for child in (_number(left[node]), _number(right[node]))
        )
        for node in range(leaves - 1)
    }
    inner = [
        child >= leaves - 1 for side in (left, right) for child in map(_number, side) if child >= 0
    ]
    if any(inner) or any(not 0 <= _number(split) < features for split in splits):
        raise NotTrees(f"tree {number} leads outside")
    _follow(number, children, size)


def _follow(number: int, children: Mapping[int, tuple[Any, ...]], size: int) -> set[int]:
    """Return the nodes that are reached from the root: each once, all inside."""
    seen, waiting = {0}, [0]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            child = _whole(child)
            if not 0 < child < size:
                raise NotTrees(f"tree {number} leads outside")
            if child in seen:
                raise NotTrees(f"tree {number} leads in a circle")
            seen.add(child)
            waiting.append(child)
    return seen


def _member(value: Any, name: str, kind: Any) -> Any:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind) or isinstance(found, str):
        raise NotTrees(f"it has no {name}")
    return found


def _count(value: Mapping[str, Any], name: str) -> int:
    """XGBoost writes numbers as texts here."""
    return _number(str(value.get(name, "")))


def _number(text: str) -> int:
    if not WHOLE.fullmatch(text):
        raise NotTrees("a number of its is none")
    return int(text)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotTrees("a node of its has no number")
    return value


def _pairs(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines()]
    return {name: value for name, _, value in pairs}
