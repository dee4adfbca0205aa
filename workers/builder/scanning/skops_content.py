"""What the content of a skops file of trusted types may still say: names, paths and places.

A type is trusted for its code; its content is whatever the file says, and some of it is called by
name, opened as a path, evaluated, or taken for a place in memory. Held against scikit-learn 1.9,
whose parameters ``tests/unit/builds/test_scanner_content.py`` goes through one by one: each that
takes a callable, an object or any text stands in one of the two tables.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

METHODS = "auto|decision_function|predict|predict_(?:log_)?proba"
# Parameters whose text is more than a word of a fixed list: what it may be, and why no other.
CHECKED: dict[str, tuple[re.Pattern[str], str]] = {
    # utils/validation.py _check_response_method: getattr(estimator, response_method)(X)
    "response_method": (re.compile(METHODS), "is called by name"),
    # utils/validation.py check_memory: joblib unpickles what lies in that folder
    "memory": (re.compile(r"(?!)"), "is a folder that joblib unpickles from"),
    # feature_selection/_base.py _get_feature_importances: attrgetter(importance_getter)(estimator)
    "importance_getter": (
        re.compile(r"auto|[a-zA-Z]\w*(?:\.[a-zA-Z]\w*)*", re.ASCII),
        "is looked up by name",
    ),
    # joblib/parallel.py: evaluated; before 1.2 by eval (CVE-2022-21797)
    "pre_dispatch": (re.compile(r"all|(?:[0-9]+ ?\* ?)?n_jobs"), "is evaluated"),
    # compose/_column_transformer.py: verbose_feature_names_out.format(...)
    "verbose_feature_names_out": (
        re.compile(r"(?:[^{}]|\{feature_name\}|\{transformer_name\})*"),
        "is a format that reaches attributes",
    ),
}
# Parameters that are given to a function beside rows: where a function of NumPy's is told to leave
# places out (``{"where": False}``), it answers memory as it finds it.
GIVEN = frozenset({"kw_args", "inv_kw_args", "kernel_params"})
# What ``label_binarize`` sorts, to take places in it for those of columns: objects such as NaN
# among numbers have no order. What ``OrdinalEncoder`` has of objects (``categories_``) is looked
# up in a dict.
SORTED = "classes_"
# What FeatureHasher divides by (feature_extraction/_hashing_fast.pyx): nought ends the process.
WIDTH = "n_features"
# Members of a random generator's state that say where in an array it reads next, and what each may
# be at most: NumPy before 2.5 takes them as they are (numpy/random/_mt19937.pyx, _philox.pyx).
PLACES = {"pos": 624, "buffer_pos": 4}
JSON, DICT = "JsonNode", "DictNode"
NAMES = CHECKED.keys() | GIVEN | {WIDTH}
# Tuples, as a file may call a loader what has no hash.
RANDOM = ("RandomStateNode", "RandomGeneratorNode")
STATES = ("DictNode", "ListNode", "TupleNode", "TypeNode", "NdArrayNode", "JsonNode")
# Parameters that take a callable, another object or any text, and why none of that does harm. A
# callable can only be a function of NumPy's or SciPy's that computes, or a plain type
# (``skops.PLAIN``): no other is trusted. An object is made of trusted types as the whole is. What
# is used in ``fit`` alone, whoever serves the model never comes to.
ARGUED = {
    "affinity": "a callable, or a word of pairwise_kernels' table; used in fit alone",
    "callback": "a callable; used in fit alone",
    "connectivity": "a callable; used in fit alone",
    "constant": "an answer that is given back",
    "covariance_estimator": "an object whose fit is called, in fit alone",
    "cv": "an object whose split is called, in fit alone",
    "estimator": "an object whose methods of fixed names are called",
    "feature_names_out": "a callable, or compared with one word",
    "fun": "a callable, or a word that is compared; used in fit alone",
    "func": "a callable: it is given rows and answers",
    "init": "an object whose predict is called, a word that is compared, or numbers",
    "inverse_func": "a callable: it is given rows and answers",
    "is_data_valid": "a callable; used in fit alone",
    "is_model_valid": "a callable; used in fit alone",
    "kernel": "a callable, or a word of pairwise_kernels' table; no object of kernels is trusted",
    "loss": "a callable, an object of trusted losses, or a word of a fixed list",
    "max_features": "a callable; used in fit alone",
    "metric": "a callable, or a word of the tables of pairwise_distances and SciPy",
    "oob_score": "a callable; used in fit alone",
    "optimizer": "a callable, or compared with one word; used in fit alone",
    "pooling_func": "a callable: it is given rows and an axis",
    "pos_label": "compared with classes",
    "refit": "a callable, or a name among results; used in fit alone",
    "regressor": "an object whose methods of fixed names are called",
    "remainder": "an object whose methods of fixed names are called, or compared with two words",
    "score_func": "a callable; used in fit alone",
    "scoring": "a callable, or a word of the table of get_scorer",
    "strategy": "a callable, or compared with fixed words; used in fit alone",
    "threshold": "read as a number and one of two words",
    "transformer": "an object whose methods of fixed names are called",
    "weights": "a callable: it is given distances",
}
TWO = "has two nodes of one number that differ, of which one is read in place of the other"


class Numbers:
    """The numbers of nodes: of all that have one number skops reads the first, whatever the others
    say (skops/io/_audit.py ``get_tree``).

    Of one object the same is written twice, but for the numbers of what it makes anew, such as its
    state. So values must be equal, and a random generator's state have a number of its own.
    """

    def __init__(self) -> None:
        self._first: dict[Any, Any] = {}
        self._states: set[Any] = set()
        self._seen: Counter[Any] = Counter()
        self._two = False

    def add(self, node: dict[str, Any]) -> None:
        """Take in a node."""
        number, loader = node.get("__id__"), node.get("__loader__")
        if loader in RANDOM:
            inside = _inside_random(node)
            self._states |= {inner.get("__id__") for inner in inside if _is_of(inner, DICT)}
        if number is None or loader == "CachedNode":
            return
        if isinstance(number, list | dict):
            self._two = True  # skops cannot read it
            return
        self._seen[number] += 1
        identity = (node.get("__module__"), node.get("__class__"), loader, _told(node))
        self._two |= self._first.setdefault(number, identity) != identity

    def differ(self) -> bool:
        """Tell whether one may be read in place of another that says something else."""
        return self._two or any(self._seen[number] > 1 for number in self._states)


def _told(node: dict[str, Any]) -> Any:
    """Return what is judged of a node's content by where it stands."""
    content, loader = node.get("content"), node.get("__loader__")
    if loader == JSON:
        return content
    return bool(content) if loader == DICT else _is_sorted(node)


def _inside_random(node: Any) -> Iterator[dict[str, Any]]:
    """Yield what a random generator holds, up to another one inside of it, which is a fault: so a
    file of many that are nested is walked once."""
    waiting = [node.get("content")]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            yield one
            if one.get("__loader__") not in RANDOM:
                waiting += one.values()


def at_fault(node: dict[str, Any]) -> Iterator[str]:
    """Yield what is at fault with the content of one node.

    A JSON node may hold a whole object, and any object may be the content of another.
    """
    content, loader = node.get("content"), node.get("__loader__")
    if loader in RANDOM:
        fault = _state(node)
        if fault:
            yield fault
    elif loader == JSON:
        yield from _members(_json(content))
    elif isinstance(content, dict):
        for name in content.keys() & NAMES:
            yield from _fault(name, _value(content[name]))
        if SORTED in content and not _is_sorted(content[SORTED]):
            yield f"says {SORTED} that have no order"


def _is_sorted(node: Any) -> bool:
    """Tell whether classes are an array of numbers or of words, or a list of such."""
    if not isinstance(node, dict):
        return False
    if node.get("__loader__") == "ListNode":
        arrays = node.get("content")
        return isinstance(arrays, list) and all(_is_array(one) for one in arrays)
    return _is_array(node) or (_is_of(node, JSON) and _value(node) is None)


def _is_array(node: Any) -> bool:
    if not _is_of(node, "NdArrayNode"):
        return False
    words = node.get("content")
    return node.get("type") == "numpy" or (
        isinstance(words, list)
        and all(_is_of(one, JSON) and isinstance(_value(one), str) for one in words)
    )


def _value(node: Any) -> Any:
    """Return what a node of JSON or of nothing makes, and any other as it is."""
    if _is_of(node, DICT) and not node.get("content"):
        return {}
    return _json(node.get("content")) if _is_of(node, JSON) else node


def _is_of(node: Any, loader: str) -> bool:
    return isinstance(node, dict) and node.get("__loader__") == loader


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None  # skops cannot read it either


def _members(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
            for name in one.keys() & NAMES:
                yield from _fault(name, one[name])
            if isinstance(one.get(SORTED), list | dict):
                yield f"says {SORTED} that have no order"


def _fault(name: str, value: Any) -> Iterator[str]:
    if name in GIVEN:
        if value is not None and value != {}:
            yield f"says {name}, which is given to a function that may answer memory as it is"
        return
    if name == WIDTH:
        if type(value) is not int or not 1 <= value < 2**31:
            yield f"says {name}, which is no number of columns"
        return
    allowed, why = CHECKED[name]
    number = value is None or isinstance(value, int | float)
    if not number and not (isinstance(value, str) and allowed.fullmatch(value)):
        yield f"says {name}, which {why}"


def _state(node: dict[str, Any]) -> str | None:
    """Return what is at fault first with a random generator's state, which is plain values by name
    and reads from no place outside."""
    content = node.get("content")
    states = content if node.get("__loader__") == "RandomGeneratorNode" else {"": content}
    waiting = list(states.values()) if isinstance(states, dict) else [None]
    if any(not _is_of(one, DICT) for one in waiting):
        return "has a random generator whose state is not followed"
    for one in _inside_random(node):
        odd = _is_of(one, JSON) and isinstance(_json(one.get("content")), dict)
        if odd or one.get("__loader__", DICT) not in STATES:
            return "has a random generator whose state is not followed"
        for name in one.keys() & PLACES.keys():
            position = _json(one[name].get("content")) if _is_of(one[name], JSON) else None
            if type(position) is not int or not 0 <= position <= PLACES[name]:
                return "has a random generator that reads outside of its state"
    return None
