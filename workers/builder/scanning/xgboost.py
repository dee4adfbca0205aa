"""Models of XGBoost in JSON and UBJSON, held against themselves.

Sources: xgboost ``src/tree/tree_model.cc``, ``src/gbm/gbtree_model.cc``, ``src/learner.cc``,
``src/data/cat_container.cc`` and ``doc/model.schema``. A part of a tree or forest that is not known
here makes the model unknown.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import IO, Any

from placet_verify.canonical import weight
from workers.builder.scanning import ubjson
from workers.builder.scanning.trees import (
    NotRead,
    NoTrees,
    NotTrees,
    bounded,
    follow,
    number,
    spans,
    whole,
)

MAX_JSON = 256 << 20
# As ``weight`` counts: a forest of that size takes 2.1 GiB by it, and 1.4 of memory. Letters over
# ASCII take all that is counted.
MAX_NUMBERS, MAX_LETTERS = 9 << 28, 1 << 30
ROOT = frozenset({-1, 0x7FFFFFFF})  # how the parent of a root is spelled
MAX_CATEGORY = 1 << 24  # the last whole number that a float holds
MAX_CLASSES = MAX_FEATURES = 100_000  # a service takes 10,000 columns
MAX_UNTRAINED = 1000  # groups of a model that has no tree yet
MAX_MAPS = 256 << 20  # bytes; a file of JSON takes as many
NO_ROUND = "its best_iteration is none of its rounds"
# The key of a learner in UBJSON, whatever kind of number its length is: no text holds it by chance.
NAMED = b"\x07learner"
# How the form that releases before 3.1 read (``LearnerIO::LoadModel``) names its booster: behind
# 136 bytes of numbers and an objective, by length and text. It has no first bytes of its own.
OLD_HEAD = 256
OLD = tuple(len(n).to_bytes(8, "little") + n for n in (b"gbtree", b"gblinear", b"dart"))
FOREST = frozenset(
    {"gbtree_model_param", "trees", "tree_info", "iteration_indptr", "cats", "weight_drop"}
)
# Each has an item for each node.
NODES = (
    "left_children",
    "right_children",
    "split_indices",
    "split_conditions",
    "default_left",
    "parents",
    "base_weights",
    "loss_changes",
    "sum_hessian",
    "split_type",
)
OLDER = frozenset({"parents", "base_weights", "loss_changes", "sum_hessian", "split_type"})
# A text of whole JSON, and whether it is the name of a member; each is read once.
STRING = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"(\s*+:)?')
ESCAPE = re.compile(rb"\\u00([0-7][0-9a-fA-F])")
CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
TREE = frozenset({"id", "tree_param", *NODES, *CATEGORIES})


def read(stream: IO[bytes]) -> bool:
    """Tell whether XGBoost takes a file for a model; raise :class:`NotTrees` when a broken one, and
    :class:`NoTrees` when it is settings of its.

    Of an ending that it does not know XGBoost guesses by the bytes behind the first one whether it
    is JSON or UBJSON (``src/c_api/c_api.cc``, ``XGBoosterLoadModel``).
    """
    if is_ubjson(stream):
        read_ubjson(stream)
        return True
    stream.seek(0)
    head = stream.read(OLD_HEAD)
    if any(name in head for name in OLD):
        raise NotRead("it is of an old binary form: save it as .json or .ubj")
    return read_json(stream)


def is_ubjson(stream: IO[bytes]) -> bool:
    """Tell whether a file begins an object and names a learner as UBJSON does."""
    return _holds(stream, NAMED)


def read_json(stream: IO[bytes]) -> bool:
    """Tell whether a JSON file is a model of XGBoost; raise :class:`NotTrees` when a broken one."""
    if not _holds(stream, b'"learner"'):
        return False
    if stream.seek(0, 2) > MAX_JSON:
        raise NotTrees(f"it is larger than {MAX_JSON >> 20} MB: write it as .ubj")
    stream.seek(0)
    data = stream.read()
    if b"gradient_booster" not in ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), data):
        return False  # without it XGBoost ends before its first tree
    if weight(data) > (MAX_NUMBERS if data.isascii() else MAX_LETTERS):
        raise NotTrees("it takes too much memory to read: write it as .ubj")
    try:
        model = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise NotTrees("it is no whole JSON") from None
    if any(text[2] and b"\\" in text[1] for text in STRING.finditer(data)):
        raise NotTrees("it has a member whose name is spelled with an escape")  # read as it stands
    learner = model.get("learner") if isinstance(model, dict) else None
    if not isinstance(learner, dict) or "gradient_booster" not in learner:
        return False
    if _is_settings(learner["gradient_booster"]):
        raise NoTrees("is settings of XGBoost (Booster.save_config), and no model")
    _model(model)
    return True


def _is_settings(booster: Any) -> bool:
    """Tell whether XGBoost ends before its first tree: ``Booster.save_config`` writes how a booster
    is trained in place of its model (``src/gbm/gbtree.cc`` and ``gblinear.cc``, ``SaveConfig``; of
    what is not there ``LoadModel`` asks for a member, ``src/common/json.cc``). Until 3.2 a dart has
    those of its trees inside."""
    members = booster if isinstance(booster, dict) else {}
    trees = members.get("gbtree", {"_train_param": None})
    inside = trees if isinstance(trees, dict) else {}
    outside = {name: None for name in members if name != "gbtree"}
    return all(
        any(name.endswith("_train_param") for name in one) and not {"model", "gbtree"} & one.keys()
        for one in (outside, inside)
    )


def read_ubjson(stream: IO[bytes]) -> None:
    """Raise :class:`NotTrees` unless ``stream`` is a whole model of XGBoost in UBJSON."""
    try:
        _model(ubjson.decode(stream))
    except ubjson.NotRead as error:
        raise NotRead(str(error)) from None
    except ubjson.NotUbjson as error:
        raise NotTrees(str(error)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose members stand once: readers differ over which of two counts."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotTrees("it has a member twice")
    return members


def _holds(stream: IO[bytes], word: bytes) -> bool:
    """Tell whether an object begins the file and a word stands anywhere: XGBoost passes over
    blanks before it, and over members that it does not know."""
    stream.seek(0)
    before, begun = b"", False
    while piece := stream.read(1 << 20):
        if not begun and (start := piece.lstrip(b" \t\r\n\v\f\0\xef\xbb\xbf")):
            if not start.startswith(b"{"):
                return False
            begun = True
        if word in before + piece:
            return True
        before = piece[-len(word) :]
    return False


def _model(model: Any) -> None:
    learner = _member(model, "learner", dict)
    booster = _member(learner, "gradient_booster", dict)
    features = _count(_member(learner, "learner_model_param", dict), "num_feature")
    if features > MAX_FEATURES:
        raise NotRead(f"it has more than {MAX_FEATURES} features")
    groups = _groups(learner)
    name = booster.get("name")
    if name == "gblinear":
        weights = _member(_member(booster, "model", dict), "weights", Sequence)
        if len(weights) != (features + 1) * groups:
            raise NotTrees("its weights are not one for each feature and group")
        _best(learner, 1 << 31)
        return
    if name not in {"gbtree", "dart"}:
        raise NotRead("its booster is not known here")
    inner = _member(booster, "gbtree", dict) if name == "dart" else booster
    forest = _member(inner, "model", dict)
    count = _forest(forest, groups, features)
    for holder in (booster, forest):
        if "weight_drop" in holder and len(_member(holder, "weight_drop", Sequence)) != count:
            raise NotTrees("it has another number of weights than of trees")
    _best(learner, _rounds(forest, groups))
    maps = sum(_tree(index, tree, features) for index, tree in enumerate(forest["trees"]))
    if maps > MAX_MAPS:
        raise NotTrees(f"its categories take more than {MAX_MAPS >> 20} MB of memory")
    # An answer has a number of each group, and a round a tree for each.
    bounded(groups, 1, (count or MAX_UNTRAINED) + 1, "it has more classes than trees")


def _rounds(forest: dict[str, Any], groups: int) -> int:
    """Return how many rounds a forest was trained for (``GBTreeModel::BoostedRounds``)."""
    if "iteration_indptr" in forest:
        return len(forest["iteration_indptr"]) - 1
    parallel = number(str(forest["gbtree_model_param"].get("num_parallel_tree", 1)))
    return len(forest["trees"]) // max(groups * parallel, 1)


def _best(learner: dict[str, Any], rounds: int) -> None:
    """Who predicts asks for all rounds up to the best one, and XGBoost goes where that leads:
    ``XGBModel._get_iteration_range`` (``python-package/xgboost/sklearn.py``) and our own service.
    """
    attributes = _member(learner, "attributes", dict) if "attributes" in learner else {}
    if not all(isinstance(value, str) for value in attributes.values()):
        raise NotTrees("it has an attribute that is no text")
    if "best_iteration" in attributes:
        best = attributes["best_iteration"]
        if str(bounded(number(best), 0, rounds, NO_ROUND)) != best:
            raise NotTrees(NO_ROUND)


def _groups(learner: dict[str, Any]) -> int:
    """Return how many numbers an answer has; XGBoost has room for so many."""
    settings = _member(learner, "learner_model_param", dict)
    classes, targets = (number(str(settings.get(name, 0))) for name in ("num_class", "num_target"))
    groups = max(classes, targets, 1)
    if classes < 0 or targets < 0 or groups > MAX_CLASSES or (classes > 1 and targets > 1):
        raise NotTrees("it has an odd number of classes or targets")
    for value in _member(learner, "objective", dict).values():
        named = value.get("num_class") if isinstance(value, dict) else None
        if named is not None and (number(str(named)) != classes or classes < 1):
            raise NotTrees("its objective has another number of classes")
    if str(settings.get("base_score", "")).count(",") not in {0, groups - 1}:
        raise NotTrees("it has another number of scores to begin with than of classes")
    return groups


def _forest(forest: dict[str, Any], groups: int, features: int) -> int:
    """Hold together what says of the trees what they are for; return how many there are."""
    if not forest.keys() <= FOREST:
        raise NotRead("a part of its forest is not known here")
    settings = _member(forest, "gbtree_model_param", dict)
    count = len(_member(forest, "trees", list))
    if count != _count(settings, "num_trees"):
        raise NotTrees("it holds another number of trees than it says")
    info = _member(forest, "tree_info", Sequence)
    if len(info) != count:
        raise NotTrees("it does not say of each tree what it is for")
    for group in info:
        bounded(group, 0, groups, "a tree is for a class that there is not")
    parallel = number(str(settings.get("num_parallel_tree", 1)))
    if count:  # a model that was never trained may say how it would have been
        bounded(parallel, 0, count + 1, "it has more trees side by side than trees")
    if "iteration_indptr" in forest:
        rounds = _member(forest, "iteration_indptr", Sequence)
        spans(rounds, count, "its rounds are not those of its trees")
    if "cats" in forest:
        _cats(_member(forest, "cats", dict), features)
    return count


def _cats(cats: dict[str, Any], features: int) -> None:
    """The categories that a model was trained with, feature by feature."""
    names = ("enc", "feature_segments", "sorted_idx")
    every, segments, order = (_member(cats, name, Sequence) for name in names)
    if cats.keys() != {*names}:
        raise NotRead("a part of its categories is not known here")
    if not every:
        if len(segments) or len(order):
            raise NotTrees("its categories are of no feature")
        return
    if len(every) != features or len(segments) != features + 1:
        raise NotTrees("its categories are not one list for each feature")
    spans(segments, len(order), "its categories are of other features")
    for feature, one in enumerate(every):
        start, stop = segments[feature], segments[feature + 1]
        values = _member(one, "values", Sequence)
        if "offsets" in one:
            offsets = _member(one, "offsets", Sequence)
            if offsets or values or start != stop:
                spans(offsets, len(values), "its categories are longer than they are")
            count = max(len(offsets) - 1, 0)
        else:
            count = len(values)
        if count != stop - start:
            raise NotTrees("a feature has another number of categories than it says")
        if sorted(whole(position) for position in order[start:stop]) != [*range(count)]:
            raise NotTrees("its categories are in an order that there is not")


def _tree(index: int, tree: Any, features: int) -> int:
    """Hold together a tree; return how many bytes its categories take in memory."""
    settings = _member(tree, "tree_param", dict)
    size = _count(settings, "num_nodes")
    if number(str(settings.get("size_leaf_vector", 0))) not in {0, 1}:
        raise NotRead(
            "leaves of several numbers are not checked here: train it with "
            "multi_strategy=one_output_per_tree"
        )
    if not tree.keys() <= TREE:
        raise NotRead(f"a part of tree {index} is not known here")
    if whole(tree.get("id")) != index:  # XGBoost 3.2 puts a tree where its id says, and asks all
        raise NotTrees(f"tree {index} has the id of another")
    parts = {
        part: _member(tree, part, Sequence) for part in NODES if part in tree or part not in OLDER
    }
    if {size} != {len(part) for part in parts.values()}:
        raise NotTrees(f"tree {index} has parts of different lengths")
    left, right = parts["left_children"], parts["right_children"]
    children = {
        node: (left[node], right[node])
        for node in range(size)
        if left[node] != -1 or right[node] != -1
    }
    reached = follow(index, children, size)
    for node in reached & children.keys():
        if right[node] != left[node] + 1:  # where XGBoost goes, whatever the file says
            raise NotTrees(f"tree {index} has a node whose branches are not side by side")
        bounded(
            parts["split_indices"][node],
            0,
            max(features, 1),
            f"tree {index} asks for a feature that there is not",
        )
    if "parents" in parts:
        _parents(index, parts["parents"], children, reached)
    return _categories(index, tree, parts.get("split_type", [0] * size))


def _parents(
    index: int, parents: Sequence[Any], children: Mapping[int, tuple[Any, ...]], reached: set[int]
) -> None:
    wrong = f"tree {index} has a node whose parent is another"
    if whole(parents[0]) not in ROOT:
        raise NotTrees(wrong)
    for parent in parents[1:]:  # also of what was pruned: XGBoost goes there unasked
        bounded(parent, 0, len(parents), wrong)
    for node in reached & children.keys():
        if any(parents[child] != node for child in children[node]):
            raise NotTrees(wrong)


def _categories(index: int, tree: Any, kinds: Sequence[Any]) -> int:
    """Nodes that ask for a category have a piece of the list of categories each, of which XGBoost
    makes a bit for each category up to the largest; return how many bytes those take."""
    wrong = f"tree {index} asks for a category that there is not"
    values, nodes, starts, sizes = (
        _member(tree, part, Sequence) if part in tree else [] for part in CATEGORIES
    )
    if not len(nodes) == len(starts) == len(sizes):
        raise NotTrees(wrong)
    marked = [node for node, kind in enumerate(kinds) if bounded(kind, 0, 2, wrong)]
    if marked != [whole(node) for node in nodes]:  # leaves among them, where it was pruned
        raise NotTrees(wrong)
    for start, size in zip(starts, sizes, strict=True):
        bounded(size, 1, len(values) + 1, wrong)
        bounded(start, 0, len(values) - size + 1, wrong)
    if sum(sizes) > len(values):
        raise NotTrees(f"tree {index} has nodes that share their categories")
    for value in values:
        bounded(value, 0, MAX_CATEGORY, wrong)
    pieces = (values[start : start + size] for start, size in zip(starts, sizes, strict=True))
    return sum(max(piece) // 8 + 1 for piece in pieces)


def _member(value: Any, name: str, kind: Any) -> Any:
    member = value.get(name) if isinstance(value, dict) else None
    if not isinstance(member, kind) or isinstance(member, str):
        raise NotTrees(f"it has no {name}")
    return member


def _count(value: Mapping[str, Any], name: str) -> int:
    """XGBoost writes numbers as texts here."""
    return bounded(number(str(value.get(name, ""))), 0, 1 << 31, f"its {name} is none")
