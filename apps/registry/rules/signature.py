"""A model's signature: named, typed inputs and outputs, with example rows that must fit."""

import re
from collections.abc import Callable
from typing import Any

from apps.registry.rules.values import escape, json_faults, number
from placet.kernel.problems import FieldError
from placet_verify.capture import MAX_TAGS, is_tag

MAX_COLUMNS, MAX_EXAMPLE_ROWS, MAX_NAME, MAX_RANK = 2000, 100, 200, 8
_API = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_COLUMN_KEYS = frozenset({"name", "type", "required", "shape", "tags"})


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TYPES: dict[str, Callable[[Any], bool]] = {
    "double": number,
    "float": number,
    "long": _integer,
    "integer": lambda value: _integer(value) and -(2**31) <= value < 2**31,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
}


def signature_faults(
    signature: Any, pointer: str = "/signature", most: int = MAX_COLUMNS
) -> list[FieldError]:
    """Return what is wrong with ``{"inputs": […], "outputs": […]}``.

    A column has a unique ``name``, a ``type``, for inputs whether it is ``required`` (yes unless
    said), and a ``shape`` when one row holds an array there: its lengths without the batch
    dimension, -1 for any length. ``tags`` say what a column is: ``personal`` is redacted where
    predictions are captured. ``api`` names the API of a BentoML project that takes them.
    """
    if not isinstance(signature, dict) or set(signature) - {"api"} != {"inputs", "outputs"}:
        return [FieldError(pointer, 'An object with exactly "inputs" and "outputs"')]
    faults: list[FieldError] = []
    api = signature.get("api", "predict")
    if not isinstance(api, str) or not _API.fullmatch(api):
        faults.append(FieldError(f"{pointer}/api", "The name of an API: letters, digits and _"))
    for side in ("inputs", "outputs"):
        faults += _side_faults(signature[side], f"{pointer}/{side}", most)
    return faults


def _side_faults(columns: Any, pointer: str, most: int) -> list[FieldError]:
    if not isinstance(columns, list) or not 1 <= len(columns) <= most:
        return [FieldError(pointer, f"A list of 1 to {most} columns")]
    faults: list[FieldError] = []
    names: set[str] = set()
    for position, column in enumerate(columns):
        here = f"{pointer}/{position}"
        column_faults = _column_faults(column, here)
        if not column_faults and column["name"] in names:
            column_faults = [FieldError(f"{here}/name", f"{column['name']!r} stands twice")]
        if not column_faults:
            names.add(column["name"])
        faults += column_faults
    return faults


def _column_faults(column: Any, pointer: str) -> list[FieldError]:
    if not isinstance(column, dict) or not {"name", "type"} <= set(column) <= _COLUMN_KEYS:
        return [FieldError(pointer, "An object with name, type and perhaps required, shape, tags")]
    faults: list[FieldError] = []
    name = column["name"]
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        faults.append(FieldError(f"{pointer}/name", f"1 to {MAX_NAME} printable characters"))
    elif "{{" in name:
        faults.append(FieldError(f"{pointer}/name", "A name may not hold '{{'"))
    if not isinstance(column["type"], str) or column["type"] not in TYPES:
        faults.append(FieldError(f"{pointer}/type", f"One of {', '.join(TYPES)}"))
    if not isinstance(column.get("required", True), bool):
        faults.append(FieldError(f"{pointer}/required", "true or false"))
    shape = column.get("shape")
    if "shape" in column and not (
        isinstance(shape, list)
        and 1 <= len(shape) <= MAX_RANK
        and all(_integer(n) and (n == -1 or 1 <= n <= 10**7) for n in shape)
    ):
        faults.append(FieldError(f"{pointer}/shape", "Lengths per row, e.g. [30]; -1 for any"))
    tags = column.get("tags", [])
    if not isinstance(tags, list) or len(tags) > MAX_TAGS or not all(map(is_tag, tags)):
        detail = f"At most {MAX_TAGS} tags of small letters, digits, _ and -, such as personal"
        faults.append(FieldError(f"{pointer}/tags", detail))
    return faults


def rows_faults(value: Any, pointer: str) -> list[FieldError]:
    """Return what keeps example rows or expected outputs from being kept, whatever they are to fit
    later."""
    if not isinstance(value, list) or len(value) > MAX_EXAMPLE_ROWS:
        return [FieldError(pointer, f"A list of at most {MAX_EXAMPLE_ROWS}, one item per row")]
    return json_faults(value, pointer)


def example_faults(example: Any, signature: Any, pointer: str = "/example") -> list[FieldError]:
    """Return where the example rows do not fit the signature's inputs, or what cannot be kept."""
    if faults := json_faults(example, pointer):
        return faults
    if not isinstance(example, list) or not 1 <= len(example) <= MAX_EXAMPLE_ROWS:
        return [FieldError(pointer, f"A list of 1 to {MAX_EXAMPLE_ROWS} row objects")]
    columns = {column["name"]: column for column in signature["inputs"]}
    for position, row in enumerate(example):
        here = f"{pointer}/{position}"
        if not isinstance(row, dict):
            faults.append(FieldError(here, "A row is an object: {column: value}"))
            continue
        faults += [
            FieldError(f"{here}/{escape(str(name))}", "The signature has no such input")
            for name in row
            if name not in columns
        ]
        for name, column in columns.items():
            faults += _cell_faults(row, name, column, f"{here}/{escape(name)}")
    return faults


def _cell_faults(row: dict[str, Any], name: str, column: Any, pointer: str) -> list[FieldError]:
    if row.get(name) is None:
        if column.get("required", True):
            return [FieldError(pointer, "This input is required")]
        return []
    if _fits(row[name], column["type"], column.get("shape") or []):
        return []
    kind = column["type"] + (
        f" of shape {column['shape']}, in brackets" if column.get("shape") else ""
    )
    return [FieldError(pointer, f"Must be a {kind}")]


def _fits(value: Any, kind: str, shape: list[int]) -> bool:
    if not shape:
        return TYPES[kind](value)
    if not isinstance(value, list) or (shape[0] != -1 and len(value) != shape[0]):
        return False
    return all(_fits(item, kind, shape[1:]) for item in value)


def expected_faults(expected: Any, example: Any, pointer: str = "/expected") -> list[FieldError]:
    """Return what is wrong with the expected outputs: one per example row, finite numbers."""
    if not isinstance(example, list) or not example:
        return [FieldError(pointer, "Expected outputs need an example they belong to")]
    if not isinstance(expected, list) or len(expected) != len(example):
        return [FieldError(pointer, f"A list with one output per example row ({len(example)})")]
    return [
        FieldError(f"{pointer}/{i}", "An output may not be null")
        for i, value in enumerate(expected)
        if value is None
    ] + json_faults(expected, pointer)
