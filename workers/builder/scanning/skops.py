"""Reads the schema of a skops file: the types it is made of, without importing any of them.

``safe`` is said of few loaders and of a short list of estimators (:func:`trusted`); whatever else a
file asks for makes it ``code-carrying``, without a look at what that might do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workers.builder.scanning.known import words
from workers.builder.scanning.skops_content import TWO, at_fault, differ
from workers.builder.scanning.texts import parsed

MAX_TYPES, MAX_NAME = 2000, 200
MAX_DEPTH = 8  # a pipeline of columns, each with a pipeline of unions of pipelines, has six
DEEP = f"has more than {MAX_DEPTH} estimators in one another, of which each asks those inside twice"
MAX_SCHEMA = 256 * 1024**2
MAX_PARTS = 1_000_000  # objects and lists; of each a sum is made. A forest of 200 trees has 16,000
LIST = Path(__file__).with_name("trusted_types.txt")
KEYS = frozenset({"__class__", "__module__", "__loader__"})
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

# What is called with whatever a request says, where a file puts it in place of a method.
PLAIN = words(
    """
    builtins.bool builtins.float builtins.int builtins.str
    numpy.bool numpy.bool_ numpy.str_ numpy.float16 numpy.float32 numpy.float64
    numpy.int8 numpy.int16 numpy.int32 numpy.int64
    numpy.uint8 numpy.uint16 numpy.uint32 numpy.uint64
    """
)
ADVICE = (
    "is safe only where all that it is made of is on a list that is short on purpose: write it as "
    "ONNX, or have the policy allow code-carrying"
)


class NotSkops(Exception):
    """The schema is not of the form that skops writes."""


@cache
def trusted() -> dict[str, frozenset[str]]:
    """Return the loaders that a safe file may ask for, each with what it may make there: values
    that skops writes of its own accord, and the committed list of estimators."""
    lines = LIST.read_text("utf-8").splitlines()
    return {
        "DictNode": words("builtins.dict"),
        "ListNode": words("builtins.list"),
        "TupleNode": words("builtins.tuple"),
        "SliceNode": words("builtins.slice"),
        "JsonNode": words("builtins.str"),
        "TypeNode": PLAIN,
        "DTypeNode": words("numpy.dtype"),
        "NdArrayNode": PLAIN | {"numpy.ndarray"},
        "ObjectNode": frozenset(line for line in lines if not line.startswith("#")),
    }


@cache
def names() -> frozenset[str]:
    """Return whatever a safe file may be made of."""
    return frozenset().union(*trusted().values())


@dataclass(frozen=True, slots=True)
class Schema:
    """What a schema says: every ``module.name`` that loading it would look up, which of them a safe
    file would not have so, with the loader, and what of its content does harm."""

    types: set[str]
    others: set[tuple[str, str]]
    faults: set[str]


def read(schema: bytes) -> Schema:
    """Return what a schema says. Raises :class:`NotSkops`."""
    root = _root(schema)
    if not isinstance(root, dict) or "__loader__" not in root:
        raise NotSkops("its schema has no root")
    parsed = Schema(set(), set(), set())
    parts: list[Any] = []
    waiting: list[tuple[Any, int]] = [(root, 0)]
    while waiting:
        value, depth = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        parts.append(value)
        if len(parts) > MAX_PARTS:
            raise NotSkops(f"it has more than {MAX_PARTS} parts")
        if isinstance(value, dict) and not KEYS.isdisjoint(value):
            _add(value, parsed)
            depth += value["__loader__"] == "ObjectNode"
        if depth > MAX_DEPTH:
            parsed.faults.add(DEEP)
        if len(parsed.types) > MAX_TYPES:
            raise NotSkops(f"it names more than {MAX_TYPES} types")
        held = value.values() if isinstance(value, dict) else value
        waiting += [(one, depth) for one in held]
    if differ(parts):
        parsed.faults.add(TWO)
    return parsed


def _add(node: dict[str, Any], parsed: Schema) -> None:
    names, loader = set(_named(node)), node["__loader__"]
    if any(len(name) > MAX_NAME for name in names):
        raise NotSkops(f"it names a type of more than {MAX_NAME} letters")
    parsed.types.update(names)
    parsed.others.update((name, loader) for name in names - trusted().get(loader, frozenset()))
    parsed.faults.update(at_fault(node))


def is_schema(raw: bytes) -> bool:
    """Tell whether skops would follow this JSON. Raises :class:`NotSkops` where that cannot be
    told: what is not read to its end here, somebody with more room may read."""
    root = _root(raw)
    return isinstance(root, dict) and "__loader__" in root


def _root(raw: bytes) -> Any:
    if len(raw) > MAX_SCHEMA:
        raise NotSkops("its schema is too large")
    try:
        return parsed(raw)
    except RecursionError:
        raise NotSkops("its schema is nested too deeply") from None
    except ValueError:
        raise NotSkops("its schema is not JSON, or is too large") from None


def files_of(schema: bytes) -> set[str]:
    """Return every member that the schema takes an array from. Raises :class:`NotSkops`."""
    waiting: list[Any] = [_root(schema)]
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
    yield f"{module}.{kind}"
    content = node.get("content")
    inner = content if isinstance(content, dict) else {}
    if loader == "MethodNode":
        yield f"{module}.{kind}.{inner.get('func')}"
    elif loader == "FunctionNode" and inner:  # of protocol 0 (skops/io/old/_general_v0.py)
        yield f"{inner.get('module_path')}.{inner.get('function')}"
