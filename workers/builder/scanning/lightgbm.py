"""Models of LightGBM, held against themselves, read line by line as LightGBM reads them.

Sources: LightGBM ``src/boosting/boosting.cpp`` (``GetBoostingTypeFromModelFile``),
``src/boosting/gbdt_model_text.cpp`` (``LoadModelFromString``) and ``src/io/tree.cpp``
(``Tree::Tree(const char*, size_t*)``). A line ends at a line feed or a carriage return and at
nothing else, whatever other readers of texts take for an end.
"""

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from placet_verify.canonical import weight
from workers.builder.scanning.known import words
from workers.builder.scanning.texts import MAX_PARSED
from workers.builder.scanning.trees import (
    MAX_TREES,
    NotRead,
    NotTrees,
    bounded,
    follow,
    number,
    spans,
)

MAX_TEXT = 512 << 20
MAX_AROUND = 128 << 20  # what stands before the trees, and behind them
MAX_PARTS = 2_000_000  # lines of a part of it, or items of a line: each takes some 60 bytes
MANY = f"a part of it has more than {MAX_PARTS:,} lines or numbers"
LONG = f"it has more than {MAX_AROUND >> 20} MB before or behind its trees"
MAX_LINES = 22  # of a tree: what stands behind them LightGBM does not read
FIRST = re.compile(rb"[ \t]*tree[ \t]*[\r\n]")
END = re.compile(r"\r\n|\r|\n")
TREE = re.compile(r"(?<=[\r\n])Tree=")
LAST = re.compile(r"[\r\n]*end of trees[\r\n]")
# As its Atof takes them; what it does not take ends the process.
FRACTION = re.compile(
    r"[-+]?([0-9]+(\.[0-9]*)?(e[-+]?[0-9]+)?|nan|inf|infinity)", re.ASCII | re.IGNORECASE
)
# What each objective writes behind its name (``src/objective``, ``ToString``).
OF_REGRESSION = ("regression", "regression_l1", "fair", "quantile", "mape")
OBJECTIVES: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(OF_REGRESSION, re.compile(r"(sqrt)?")),
    **dict.fromkeys(("huber", "poisson", "gamma", "tweedie"), re.compile("")),
    **dict.fromkeys(("cross_entropy", "cross_entropy_lambda"), re.compile("")),
    **dict.fromkeys(("lambdarank", "rank_xendcg"), re.compile("")),
    "binary": re.compile(r"sigmoid:(?P<sigmoid>[^ :]+)"),
    "multiclass": re.compile(r"num_class:(?P<num_class>[0-9]+)"),
    "multiclassova": re.compile(r"num_class:(?P<num_class>[0-9]+) sigmoid:(?P<sigmoid>[^ :]+)"),
}
HEAD = frozenset(
    {
        *("tree", "version", "num_class", "num_tree_per_iteration", "label_index"),
        *("max_feature_idx", "objective", "average_output", "feature_names"),
        *("monotone_constraints", "feature_infos", "tree_sizes"),
    }
)
IMPORTANCES = ("feature_importances:", "feature importances:")
IMPORTANCE = re.compile(r"[^\0]+=[0-9]+")
# LightGBM takes a parameter apart at its colon, without a look at how many parts there are
# (``src/boosting/gbdt.h``, ``GetLoadedParam``).
PARAMETER = re.compile(r"\[[a-z0-9_]+: .*\]")
CATEGORIES = "pandas_categorical:"  # the package's own line: python-package, ``lightgbm/basic.py``
MAX_CATEGORIES = 64 << 20
PLAIN = (str, int, float)
OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
OF_TREES = words(
    """
    num_leaves num_cat split_feature split_gain threshold decision_type left_child right_child
    leaf_value leaf_weight leaf_count internal_value internal_weight internal_count cat_boundaries
    cat_threshold is_linear leaf_const num_features leaf_features leaf_coeff shrinkage
    """
)
OF_NODES = ("threshold", "split_gain", "internal_value", "internal_weight", "internal_count")
Facts = Mapping[str, str]


def read(stream: IO[bytes]) -> bool:
    """Tell whether a text is a model of LightGBM; raise :class:`NotTrees` when a broken one."""
    stream.seek(0)
    if not FIRST.match(stream.read(80)):
        return False
    if stream.seek(0, 2) > MAX_TEXT:
        raise NotTrees(f"it is larger than {MAX_TEXT >> 20} MB")
    stream.seek(0)
    text = stream.read().decode("latin-1")  # a character is a byte: LightGBM counts bytes
    first = TREE.search(text)
    begin = first.start() if first else len(text)
    if text.find("=", 0, begin) < 0 and text.find("num_class", 0, begin) < 0:
        return False  # without a number of classes LightGBM ends
    if begin > MAX_AROUND:
        raise NotRead(LONG)
    head = text[:begin]
    facts = _head(head)
    sizes = [number(size) for size in _items(facts, "tree_sizes")]
    if len(sizes) > MAX_TREES or "\0" in text:
        raise NotTrees("it holds too many trees, or bytes that are no text")
    end = re.search(r"(?<=[\r\n])end of trees[\r\n]", text)
    if not first and (sizes or not end):
        raise NotTrees("it has no end or no trees")
    features = _features(facts)
    _classes(facts, len(sizes))
    offset = first.start() if first else 0
    for count, size in enumerate(sizes):
        piece = text[offset : offset + size] if size > 0 else ""
        _tree(count, _block(count, piece), features)
        offset += size
    end = LAST.match(text, offset) if first else end
    if not end:
        raise NotTrees("it holds another number of trees than it says, or has no end")
    if len(text) - end.end() > MAX_AROUND:
        raise NotRead(LONG)
    _tail(text[end.end() :])
    return True


def _head(text: str) -> Facts:
    """Return what stands before the first tree; of two lines of one name the last counts.

    Without a tree LightGBM takes the whole text for it; what stands behind its end is held apart.
    """
    facts: dict[str, str] = {}
    lines = _lines(text)
    own = lines[: lines.index("end of trees")] if "end of trees" in lines else lines
    for line in own:
        name, _, value = line.partition("=")
        known = name in HEAD and not value.startswith("=")
        if not known and line.strip(" \t") not in ("", "tree"):
            raise NotTrees(f"its head has {ascii(line)[1:41]}, which is not known here")
    for line in lines:
        name, *values = [part for part in line.split("=") if part] or [""]
        if len(values) > 1 and name not in {"feature_names", "monotone_constraints"}:
            raise NotTrees("a line of its head has two values")
        facts[name] = "=".join(values)
    return facts


def _classes(facts: Facts, trees: int) -> None:
    """An answer has room for a number of each class, and a round has a tree for each."""
    classes = bounded(
        number(facts.get("num_class", "")), 1, max(trees, 1) + 1, "it has more classes than trees"
    )
    if number(facts.get("num_tree_per_iteration", str(classes))) != classes:
        raise NotTrees("a round of its has another number of trees than there are classes")
    if "objective" not in facts:
        return
    name, _, words = facts["objective"].partition(" ")
    said = OBJECTIVES[name].fullmatch(words.rstrip(" ")) if name in OBJECTIVES else None
    if said is None:
        raise NotTrees("its objective is not known here, or has words that are not its own")
    found = said.groupdict()
    if number(found.get("num_class", "1")) != classes:
        raise NotTrees("its objective has another number of classes")
    if not FRACTION.fullmatch(found.get("sigmoid", "1")):
        raise NotTrees("its objective has a number that is none")


def _features(facts: Facts) -> int:
    """Return how many features there are: what the head lists has an item for each."""
    features = number(facts.get("max_feature_idx", "")) + 1
    number(facts.get("label_index", "0"))
    for name in ("feature_names", "feature_infos", "monotone_constraints"):
        if name in facts and len(_items(facts, name)) != features:
            raise NotTrees("it has another number of features than it tells of")
    if "feature_names" not in facts:
        raise NotTrees("it has no names of features")
    for constraint in _items(facts, "monotone_constraints"):
        bounded(number(constraint), -1, 2, "a constraint of its is none")
    return features


def _tail(text: str) -> None:
    """Behind the trees stand importances, parameters and the categories of pandas, and no more."""
    lines = [line for line in _lines(text) if line]
    if lines and lines[0] in IMPORTANCES:
        lines = _behind(lines[1:], IMPORTANCE)
    if lines and lines[0] == "parameters:":
        lines = _behind(lines[1:], PARAMETER)
        if not lines or lines.pop(0) != "end of parameters":
            raise NotTrees("its parameters have one that is none, or no end")
    if lines and lines[0].startswith(CATEGORIES):
        _pandas(lines.pop(0).removeprefix(CATEGORIES))
    if lines:
        raise NotTrees(f"it has {ascii(lines[0])[1:41]} behind its trees")


def _behind(lines: list[str], form: re.Pattern[str]) -> list[str]:
    """Return what stands behind the lines of a form."""
    own = next((n for n, line in enumerate(lines) if not form.fullmatch(line)), len(lines))
    return lines[own:]


def _pandas(text: str) -> None:
    """Each list has the categories of a column: texts, numbers and truth values."""
    wrong = "its categories of pandas are not lists of plain values"
    if len(text) > MAX_CATEGORIES:
        raise NotTrees(wrong)
    if weight(text.encode("latin-1")) > MAX_PARSED:
        raise NotRead("its categories of pandas take too much memory to read")
    try:
        columns: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise NotTrees(wrong) from None
    for column in [] if columns is None else columns if isinstance(columns, list) else [None]:
        if not isinstance(column, list) or not all(isinstance(one, PLAIN) for one in column):
            raise NotTrees(wrong)


def _block(count: int, text: str) -> Facts:
    """Return the lines of a tree, whose name stands before the first sign of equality."""
    if not text.startswith("Tree="):
        raise NotTrees(f"tree {count} is not where it should be")
    facts: dict[str, str] = {}
    lines = _lines(text)[1:]
    last = lines.index("") if "" in lines else len(lines)
    if any(line.strip() for line in lines[last:]) or not 0 < last <= MAX_LINES:
        raise NotTrees(f"tree {count} has an odd number of lines")
    for line in lines[:last]:
        name, separator, value = line.partition("=")
        if not separator or name in facts or name not in OF_TREES:
            raise NotTrees(f"tree {count} has a line without a value, one twice or an unknown one")
        facts[name] = value
    return facts


def _tree(count: int, facts: Facts, features: int) -> None:
    leaves = number(facts.get("num_leaves", ""))
    if leaves < 1 or len(_items(facts, "leaf_value")) != leaves:
        raise NotTrees(f"tree {count} has another number of leaves than it says")
    number(facts.get("num_cat", ""))
    _fractions(count, facts, "shrinkage", 1)
    if number(facts.get("is_linear", "0")):
        if leaves == 1:
            raise NotTrees(f"tree {count} has one leaf, which is linear")
        _linear(count, facts, leaves, features)
    _fractions(count, facts, "leaf_value", leaves)
    if leaves == 1:
        return
    for names, size in ((OF_LEAVES, leaves), (OF_NODES, leaves - 1)):
        for name in names:
            _fractions(count, facts, name, size)
    names = ("left_child", "right_child", "split_feature", "threshold", "decision_type")
    left, right, splits, bounds, kinds = (_items(facts, part) for part in names)
    if "decision_type" not in facts:
        kinds = ["0"] * (leaves - 1)
    if {len(part) for part in (left, right, splits, bounds, kinds)} != {leaves - 1}:
        raise NotTrees(f"tree {count} has parts of different lengths")
    outside = f"tree {count} leads outside"
    for child in map(number, (*left, *right)):
        bounded(child, -leaves, leaves - 1, outside)
    for split in map(number, splits):
        bounded(split, 0, features, outside)
    # Inner nodes come first, leaf n is -n-1.
    children = {
        node: tuple(child if child >= 0 else leaves - 1 + ~child for child in map(number, pair))
        for node, pair in enumerate(zip(left, right, strict=True))
    }
    follow(count, children, 2 * leaves - 1)
    asked = [bound for bound, kind in zip(bounds, kinds, strict=True) if number(kind) & 1]
    _categories(count, facts, asked)


def _fractions(count: int, facts: Facts, name: str, size: int) -> None:
    """A list of a tree that is there at all has one number for each node or leaf."""
    items = _items(facts, name) if name in facts else None
    if items is not None and not (len(items) == size and all(map(FRACTION.fullmatch, items))):
        raise NotTrees(f"tree {count} has a list of another length, or with what is no number")


def _categories(count: int, facts: Facts, asked: list[str]) -> None:
    """A node that asks for a category names one of the sets of bits by its threshold."""
    wrong = f"tree {count} asks for a category that there is not"
    sets = number(facts["num_cat"])
    for category in map(number, asked):
        bounded(category, 0, sets, wrong)
    if sets < 0:
        raise NotTrees(wrong)
    if sets:
        bounds = [number(bound) for bound in _items(facts, "cat_boundaries")]
        if len(bounds) != sets + 1:
            raise NotTrees(wrong)
        bits = _items(facts, "cat_threshold")
        spans(bounds, len(bits), wrong)
        for part in map(number, bits):
            bounded(part, 0, 1 << 32, wrong)


def _linear(count: int, facts: Facts, leaves: int, features: int) -> None:
    """Each leaf has a constant and a factor for some features, all leaves one behind the other."""
    wrong = f"tree {count} has a leaf with features that there are not"
    sizes = [
        bounded(number(size), 0, features + 1, wrong) for size in _items(facts, "num_features")
    ]
    used = [number(feature) for feature in _items(facts, "leaf_features")]
    if not len(sizes) == len(_items(facts, "leaf_const")) == leaves:
        raise NotTrees(wrong)
    if len(used) != sum(sizes):
        raise NotTrees(wrong)
    _fractions(count, facts, "leaf_const", leaves)
    _fractions(count, {"leaf_coeff": "", **facts}, "leaf_coeff", len(used))
    for feature in used:
        bounded(feature, 0, features, wrong)


def _lines(text: str) -> list[str]:
    if text.count("\n") + text.count("\r") > MAX_PARTS:
        raise NotTrees(MANY)
    return END.split(text)


def _items(facts: Facts, name: str) -> list[str]:
    """Return what stands between blanks; other white space is part of a number to LightGBM."""
    text = facts.get(name, "")
    if text.count(" ") > MAX_PARTS:
        raise NotTrees(MANY)
    return [item for item in text.split(" ") if item]
