"""Holds a file of boosted trees against itself: XGBoost and LightGBM follow it without a check.

Both read numbers of nodes, features, classes and categories out of the file and go where they lead,
in C++; one that leads outside or in a circle reads and writes foreign memory or never ends. Each is
held against what it counts (:mod:`xgboost`, :mod:`lightgbm`). Here is what both have in common.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MAX_TREES = 1_000_000
MAX_LEVELS = 10_000  # of a tree; XGBoost 3.4 ends at some 300,000 by its stack, with rows in blocks
WHOLE = re.compile(r"-?[0-9]{1,10}")


class NotTrees(Exception):
    """The file is not what its trees, and those who follow them, need."""


class NotRead(NotTrees):
    """The file may be whole: what it holds is not read here, and so is not said to be safe."""


class NoTrees(Exception):
    """The file is what a library writes beside its models, and holds no tree that it follows."""


def follow(number: int, children: Mapping[int, tuple[Any, ...]], size: int) -> set[int]:
    """Return the nodes that are reached from the root: each once, all inside, none too deep."""
    seen, waiting = {0}, [(0, 0)]
    while waiting:
        node, level = waiting.pop()
        if level > MAX_LEVELS:
            raise NotRead(f"tree {number} has more than {MAX_LEVELS} levels")
        for child in children.get(node, ()):
            child = whole(child)
            if not 0 < child < size:
                raise NotTrees(f"tree {number} leads outside")
            if child in seen:
                raise NotTrees(f"tree {number} leads in a circle")
            seen.add(child)
            waiting.append((child, level + 1))
    return seen


def number(text: str) -> int:
    """Return the number that ``text`` spells as both libraries read it."""
    if not WHOLE.fullmatch(text):
        raise NotTrees("a number of its is none")
    return int(text)


def whole(value: Any) -> int:
    """Return ``value``, which must be a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotTrees("a node of its has no number")
    return value


def bounded(value: Any, least: int, limit: int, what: str) -> int:
    """Return ``value``, which must be from ``least`` to below ``limit``."""
    if not least <= whole(value) < limit:
        raise NotTrees(what)
    return int(value)


def spans(bounds: Sequence[Any], end: int, what: str) -> None:
    """Raise unless ``bounds`` go from zero to ``end`` and never back."""
    numbers = [whole(bound) for bound in bounds]
    if not numbers or numbers[0] != 0 or numbers[-1] != end or numbers != sorted(numbers):
        raise NotTrees(what)
