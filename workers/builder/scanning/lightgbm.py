"""Models of LightGBM, held against themselves, read line by line as LightGBM reads them.

Sources: LightGBM ``src/boosting/boosting.cpp`` (``GetBoostingTypeFromModelFile``),
``src/boosting/gbdt_model_text.cpp`` (``LoadModelFromString``) and ``src/io/tree.cpp``
(``Tree::Tree(const char*, size_t*)``). A line ends at a line feed or a carriage return and at
nothing else, whatever other readers of texts take for an end.
"""

import re
from collections.abc import Mapping
from typing import IO

from workers.builder.scanning.trees import MAX_TREES, NotTrees, bounded, follow, number, spans

MAX_TEXT = 512 << 20
MAX_LINES = 22  # of a tree: what stands behind them LightGBM does not read
FIRST = re.compile(rb"[ \t]*tree[ \t]*[\r\n]")
END = re.compile(r"\r\n|\r|\n")
TREE = re.compile(r"(?<=[\r\n])Tree=")
LAST = re.compile(r"\s*end of trees[\r\n]")
# As its Atof takes them; what it does not take ends the process.
FRACTION = re.compile(
    r"[-+]?([0-9]+(\.[0-9]*)?(e[-+]?[0-9]+)?|nan|na|inf|infinity)", re.ASCII | re.IGNORECASE
)
OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
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
    head = text[: first.start()] if first else text
    if "=" not in head and "num_class" not in head:  # without a number of classes LightGBM ends
        return False
    facts = _head(head)
    sizes = [number(size) for size in _items(facts, "tree_sizes")]
    if len(sizes) > MAX_TREES or "\0" in text:
        raise NotTrees("it holds too many trees, or bytes that are no text")
    if not first and (sizes or not re.search(r"(?<=[\r\n])end of trees[\r\n]", text)):
        raise NotTrees("it has no end or no trees")
    features = number(facts.get("max_feature_idx", "")) + 1
    if len(_items(facts, "feature_names")) != features:
        raise NotTrees("it has another number of features than of names")
    _classes(facts, len(sizes))
    offset = first.start() if first else 0
    for count, size in enumerate(sizes):
        piece = text[offset : offset + size] if size > 0 else ""
        _tree(count, _block(count, piece), features)
        offset += size
    if first and not LAST.match(text, offset):
        raise NotTrees("it holds another number of trees than it says, or has no end")
    return True


def _head(text: str) -> Facts:
    """Return what stands before the first tree; of two lines of one name the last counts."""
    facts: dict[str, str] = {}
    for line in END.split(text):
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
    if not facts.get("objective", "none").strip():
        raise NotTrees("its objective has no name")
    for word in _items(facts, "objective"):
        name, separator, value = word.partition(":")
        if separator and name == "num_class" and number(value) != classes:
            raise NotTrees("its objective has another number of classes")


def _block(count: int, text: str) -> Facts:
    """Return the lines of a tree, whose name stands before the first sign of equality."""
    if not text.startswith("Tree="):
        raise NotTrees(f"tree {count} is not where it should be")
    facts: dict[str, str] = {}
    lines = END.split(text)[1:]
    last = lines.index("") if "" in lines else len(lines)
    if any(line.strip() for line in lines[last:]) or not 0 < last <= MAX_LINES:
        raise NotTrees(f"tree {count} has an odd number of lines")
    for line in lines[:last]:
        name, separator, value = line.partition("=")
        if not separator or name in facts:
            raise NotTrees(f"tree {count} has a line without a value, or one twice")
        facts[name] = value
    return facts


def _tree(count: int, facts: Facts, features: int) -> None:
    leaves = number(facts.get("num_leaves", ""))
    if leaves < 1 or len(_items(facts, "leaf_value")) != leaves:
        raise NotTrees(f"tree {count} has another number of leaves than it says")
    number(facts.get("num_cat", ""))
    _fractions(count, facts, "shrinkage", 1)
    if number(facts.get("is_linear", "0")):
        _linear(count, facts, leaves, features)
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
        spans(bounds, len(_items(facts, "cat_threshold")), wrong)


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


def _items(facts: Facts, name: str) -> list[str]:
    """Return what stands between blanks; other white space is part of a number to LightGBM."""
    return [item for item in facts.get(name, "").split(" ") if item]
