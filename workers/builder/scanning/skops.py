"""Reads the schema of a skops file: the types it is made of, without importing any of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.builder.scanning.skops_content import TWO, Numbers, at_fault

MAX_TYPES = 2000
MAX_SCHEMA = 512 * 1024**2
LIST = Path(__file__).with_name("trusted_types.txt")
LOADERS = frozenset(
    {
        "DictNode",
        "DefaultDictNode",
        "ListNode",
        "SetNode",
        "TupleNode",
        "BytesNode",
        "BytearrayNode",
        "SliceNode",
        "FunctionNode",
        "MethodNode",
        "PartialNode",
        "TypeNode",
        "ConstructorFromReduceNode",
        "ObjectNode",
        "JsonNode",
        "OperatorFuncNode",
        "NdArrayNode",
        "MaskedArrayNode",
        "DTypeNode",
        "RandomStateNode",
        "RandomGeneratorNode",
        "SparseMatrixNode",
        "TreeNode",
        "LossNode",
        "CachedNode",
        "QuantileForestNode",
        "_DictWithDeprecatedKeysNode",
    }
)

# What a node may name as a type, to be called with whatever a request says: none that gives memory
# as it finds it, as ``numpy.ndarray`` does.
PLAIN = re.compile(
    r"builtins\.(?:bool|float|int|str)"
    r"|numpy\.(?:bool_?|str_|u?int(?:8|16|32|64)|float(?:16|32|64))"
)
CALLS = frozenset({"ConstructorFromReduceNode", "PartialNode"})  # with arguments of their own
ARRAYS = frozenset({"NdArrayNode", "MaskedArrayNode"})
# What these loaders call with a list of whatever the file says: ``dict`` would make members of it.
LISTS = frozenset({"ListNode", "SetNode"})
LISTED = frozenset({"builtins.list", "builtins.set", "builtins.tuple"})
LOSSES = frozenset({"sklearn._loss._loss", "sklearn.linear_model._sgd_fast"})


class NotSkops(Exception):
    """The schema is not of the form that skops writes."""


def trusted() -> frozenset[str]:
    """Return the committed list of types that a safe file may be made of."""
    lines = LIST.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True, slots=True)
class Schema:
    """What a schema says: every ``module.name`` that loading it would look up, and what of its
    content a trusted type could be made to do harm by."""

    types: set[str]
    faults: set[str]


def read(schema: bytes) -> Schema:
    """Return what a schema says. Raises :class:`NotSkops`."""
    try:
        root = json.loads(schema)
    except (ValueError, RecursionError):
        raise NotSkops("its schema is not JSON") from None
    if not isinstance(root, dict) or "__loader__" not in root:
        raise NotSkops("its schema has no root")
    parsed, numbers = Schema(set(), set()), Numbers()
    waiting: list[Any] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            if not {"__class__", "__module__", "__loader__"}.isdisjoint(value):
                parsed.types.update(_named(value))
                parsed.faults.update(at_fault(value))
                numbers.add(value)
            waiting += value.values()
        if len(parsed.types) > MAX_TYPES:
            raise NotSkops(f"it names more than {MAX_TYPES} types")
    if numbers.differ():
        parsed.faults.add(TWO)
    return parsed


def without_loader(full: str) -> str:
    """Return the name that is judged: a type may be named together with what is done with it."""
    name, _, last = full.rpartition(".")
    return name if last in LOADERS else full


def is_schema(raw: bytes) -> bool:
    """Tell whether skops would follow this JSON."""
    try:
        root = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(root, dict) and "__loader__" in root


def files_of(schema: bytes) -> set[str]:
    """Return every member that the schema takes an array from; of none that is JSON, nothing."""
    try:
        waiting: list[Any] = [json.loads(schema)]
    except (ValueError, RecursionError):
        return set()
    files: set[str] = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            if isinstance(value.get("__loader__"), str) and isinstance(value.get("file"), str):
                files.add(value["file"])
    return files


def _named(node: dict[str, Any]) -> Iterator[str]:
    """Yield what one node names, also where skops hides a name in another member."""
    module, kind, loader = (node.get(f"__{key}__") for key in ("module", "class", "loader"))
    if not all(isinstance(text, str) for text in (module, kind, loader)):
        raise NotSkops("a node of its schema lacks module, class or loader")
    if loader not in LOADERS:
        raise NotSkops(f"its schema asks for the loader {ascii(loader)[:60]}, which is not known")
    name = f"{module}.{kind}"
    yield name
    if (
        loader in CALLS
        or (loader == "TypeNode" and not PLAIN.fullmatch(name))
        or (name == "numpy.ndarray" and loader not in ARRAYS)
        or (loader in LISTS and name not in LISTED)
        or (loader == "NdArrayNode" and not name.startswith("numpy."))  # called with the array
        or (loader == "ObjectNode" and name.startswith("numpy."))  # given a state unmade
    ):
        yield f"{name}.{loader}"
    content = node.get("content")
    inner = content if isinstance(content, dict) else {}
    if loader == "MethodNode":
        yield f"{module}.{kind}.{inner.get('func')}"
    elif loader == "FunctionNode" and inner:  # of protocol 0 (skops/io/old/_general_v0.py)
        yield f"{inner.get('module_path')}.{inner.get('function')}"
    elif loader == "RandomGeneratorNode":
        yield f"numpy.random.{_bit_generator(inner)}"
    elif loader == "TreeNode":  # whatever it calls itself, a Tree is made
        yield "sklearn.tree._tree.Tree"
    elif loader == "QuantileForestNode":
        yield "quantile_forest._quantile_forest_fast.QuantileForest"
    elif loader == "SparseMatrixNode":
        yield "scipy.sparse._matrix.spmatrix"
    elif loader == "LossNode" and module not in LOSSES:  # it gives its state to what it names
        yield f"{module}.{kind}.__setstate__"


def _bit_generator(content: dict[str, Any]) -> str:
    try:
        name = json.loads(content["bit_generator"]["content"]["bit_generator"]["content"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise NotSkops("a random generator of its schema has no name") from None
    return str(name)
