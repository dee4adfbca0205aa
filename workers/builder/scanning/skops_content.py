"""What the content of a skops file of trusted types may not say: some of it is more than a value.

A type is trusted for its code; its content is whatever the file says. Held against scikit-learn
1.9, whose parameters ``tests/unit/builds/test_scanner_content.py`` goes through one by one: each
that takes a callable, an object or any text stands in one of the two tables.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from workers.builder.scanning.spread import key
from workers.builder.scanning.texts import parsed

# Members that are more than a value: what they may be, written as JSON, and why nothing else.
CHECKED: dict[str, tuple[re.Pattern[str], str]] = {
    # preprocessing/_function_transformer.py _transform: func(X, **kw_args)
    "func": (re.compile("null"), "is called with every row"),
    # utils/validation.py check_memory: joblib unpickles what lies in that folder
    "memory": (re.compile("null"), "is a folder that joblib unpickles from"),
    # preprocessing/_encoders.py OrdinalEncoder.transform: X_int.astype(self.dtype, copy=False). The
    # type of an array beside the schema is bounded with it (``headers.VALUES``).
    "dtype": (
        re.compile(
            r'null|"(?:bool|u?int(?:8|16|32|64)?|float(?:16|32|64)?|[<>=|]?[biuf][1248])"'
            r'|\["D?TypeNode"\]'
        ),
        "makes each number of a row as large as it says",
    ),
    # compose/_column_transformer.py _hstack: sparse.hstack(Xs).tocsr()
    "sparse_output_": (re.compile("false"), "makes a sparse matrix"),
    # compose/_column_transformer.py: verbose_feature_names_out.format(...)
    "verbose_feature_names_out": (
        re.compile(r'true|false|"(?:[^{}"\\]++|\\.|\{feature_name\}|\{transformer_name\})*+"'),
        "is a format that reaches attributes",
    ),
}
# Parameters that take a callable, another object or any text, and why none of that does harm. Of
# callables a safe file has plain types alone (``skops.PLAIN``). What is used in ``fit`` alone,
# whoever serves the model never comes to.
ARGUED = {
    "covariance_estimator": "an object whose fit is called, in fit alone",
    "cv": "an object whose split is called, in fit alone",
    "feature_names_out": "a callable that makes names, or compared with one word",
    "inverse_func": "a callable; used in inverse_transform alone",
    "remainder": "an object whose methods of fixed names are called, or compared with two words",
    "scoring": "a callable, or a word of the table of get_scorer",
    "strategy": "a callable, or compared with fixed words; used in fit alone",
}
# NumPy asks an object itself for such names (numpy/_core/src/multiarray/ctors.c
# PyArray_FromInterface): __array_interface__ says where in memory an array lies.
ASKED = "__"
JSON = "JsonNode"
NUMBER = "__id__"
TWO = "has two nodes of one number that differ, of which one is read in place of the other"


def differ(parts: list[Any]) -> bool:
    """Tell whether two nodes of one number say different things; ``parts`` has every object and
    list of a schema before what is in it.

    Of all that have one number skops reads the first, whatever the others say, and asks the others
    for no more than their number (skops/io/_audit.py ``get_tree``): a few stubs would make a tree
    of any size. So they must be the same, but for numbers and names of files in them: skops gives
    new ones to what it makes for writing alone, as the array of a type. A sum of each part has
    those of what is in it, so that each is read once.
    """
    sums: dict[int, list[str]] = {}  # in a list, which no other value of what is summed is
    first: dict[Any, list[str]] = {}
    for part in reversed(parts):
        if isinstance(part, dict):
            told: Any = {name: sums.pop(id(held), held) for name, held in part.items()}
            told.pop(NUMBER, None)
            if isinstance(told.get("file"), str):
                del told["file"]
        else:
            told = [sums.pop(id(held), held) for held in part]
        whole = [hashlib.sha256(json.dumps(told).encode()).hexdigest()]
        sums[id(part)] = whole
        number = part.get(NUMBER) if isinstance(part, dict) else None
        if isinstance(number, list | dict | float | bool):
            return True  # skops cannot read it, or takes 1.0 for 1
        known = key(number) if isinstance(number, int) else number
        if known is not None and first.setdefault(known, whole) != whole:
            return True
    return False


def at_fault(node: dict[str, Any]) -> Iterator[str]:
    """Yield what is at fault with the content of one node."""
    content, loader = node.get("content"), node.get("__loader__")
    if loader == JSON and isinstance(_value(node), list | dict):
        yield "has JSON that is no single value"  # as skops never writes it
    elif loader == "DictNode" and isinstance(content, dict):
        for name, held in content.items():
            if name.startswith(ASKED):
                yield f"says {name}, which NumPy may read as a place in memory"
            elif name in CHECKED:
                allowed, why = CHECKED[name]
                if not allowed.fullmatch(json.dumps(_value(held))):
                    yield f"says {name}, which {why}"


def _value(node: Any) -> Any:
    """Return the value of a node of JSON; of any other its loader in a list, of none a list."""
    if not isinstance(node, dict) or node.get("__loader__") != JSON:
        return [node.get("__loader__")] if isinstance(node, dict) else []
    try:
        return parsed(node["content"].encode(), "utf-8")
    except (KeyError, ValueError, AttributeError, RecursionError):
        return []  # skops cannot read it either, or takes too much memory
