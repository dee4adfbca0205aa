"""From rows to arrays and back to JSON values."""

import math
from typing import Any

import numpy

DTYPES = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
    "string": "object",
}


def column_array(rows: list[dict[str, Any]], column: dict[str, Any]) -> Any:
    """Return the values of one column; a missing optional number is NaN, a missing text None."""
    values = [row.get(column["name"]) for row in rows]
    kind = column["type"]
    if any(value is None for value in values):
        if kind in {"string", "boolean"}:
            return numpy.array(values, dtype=object)
        return numpy.array([math.nan if v is None else v for v in values], dtype="float64")
    return numpy.array(values, dtype=DTYPES[kind])


def matrix(rows: list[dict[str, Any]], columns: list[dict[str, Any]], dtype: str = "") -> Any:
    """Return the columns side by side as one array of two dimensions."""
    arrays = [column_array(rows, column) for column in columns]
    joined = numpy.column_stack(arrays) if arrays else numpy.empty((len(rows), 0))
    return joined.astype(dtype) if dtype else joined


def frame(rows: list[dict[str, Any]], columns: list[dict[str, Any]]) -> Any:
    """Return the columns as a pandas DataFrame."""
    import pandas

    return pandas.DataFrame({c["name"]: column_array(rows, c) for c in columns})


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it; NaN and infinities become null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def per_row(outputs: dict[str, Any], rows: int) -> list[Any]:
    """Turn named columns of results into one value per row: bare when there is one column."""
    columns = {name: plain(values) for name, values in outputs.items()}
    if len(columns) == 1:
        return list(next(iter(columns.values())))
    return [{name: values[i] for name, values in columns.items()} for i in range(rows)]
