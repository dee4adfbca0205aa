"""Expected outputs against the outputs that a signature names: what the service answers to a row.

One output is answered bare, whatever its name; several as an object by name.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from apps.registry.rules.values import escape
from placet.kernel.problems import FieldError

Column = Mapping[str, Any]
SAMPLES = {"string": "a", "boolean": True, "double": 0.5, "float": 0.5}
FEW, MOST_VALUES = 4, 16  # of a list, and of lists in it, that a sample shows whole
MOST_OUTPUTS = 8  # that a sample of several shows


def answer_form(outputs: Sequence[Column]) -> str:
    """Return what one row is answered with, in sample values: ``1``, ``{"label": 1, …}``."""
    if len(outputs) == 1:
        return _sample(outputs[0])
    shown = outputs[:MOST_OUTPUTS]
    cells = [f"{json.dumps(o['name'], ensure_ascii=False)}: {_sample(o)}" for o in shown]
    cells += ["…"] if len(outputs) > MOST_OUTPUTS else []
    return f"{{{', '.join(cells)}}}"


def _sample(output: Column) -> str:
    text, values = json.dumps(SAMPLES.get(output["type"], 1)), 1
    for length in reversed(output.get("shape") or []):
        whole = 0 < length <= FEW and length * values <= MOST_VALUES
        text = f"[{', '.join([text] * length)}]" if whole else f"[{text}, …]"
        values = values * length if whole else MOST_VALUES
    return text


def output_faults(
    expected: Sequence[Any], outputs: Sequence[Column], pointer: str = "/expected"
) -> list[FieldError]:
    """Return where expected outputs cannot be what the service answers, saying what could."""
    rows = (_row_faults(row, outputs, f"{pointer}/{i}") for i, row in enumerate(expected))
    return [fault for faults in rows for fault in faults]


def _row_faults(row: Any, outputs: Sequence[Column], pointer: str) -> list[FieldError]:
    by_name = {output["name"]: output for output in outputs}
    if len(outputs) == 1 and not (isinstance(row, dict) and set(row) == set(by_name)):
        return _faults(row, outputs[0], pointer)
    if not isinstance(row, dict):
        form = answer_form(outputs)
        return [FieldError(pointer, f"Several outputs are an object with all of them: {form}")]
    return [
        *(
            FieldError(f"{pointer}/{escape(str(name))}", "The signature has no such output")
            for name in row
            if name not in by_name
        ),
        *(
            fault
            for name, output in by_name.items()
            for fault in _cell_faults(row, output, f"{pointer}/{escape(name)}")
        ),
    ]


def _cell_faults(row: Mapping[str, Any], output: Column, pointer: str) -> list[FieldError]:
    if output["name"] in row:
        return _faults(row[output["name"]], output, pointer)
    return [FieldError(pointer, f"This output is missing, such as {_sample(output)}")]


def _faults(value: Any, output: Column, pointer: str) -> list[FieldError]:
    shape = output.get("shape") or []
    if shape and not _has_shape(value, shape):
        kind = f"a list of shape {shape} in brackets"
    elif _is_kind(value, output["type"]):
        return []
    else:
        kind = f"a {output['type']}"
    return [FieldError(pointer, f"Must be {kind}, such as {_sample(output)}")]


def _has_shape(value: Any, shape: Sequence[int]) -> bool:
    if not shape:
        return True
    fits = isinstance(value, list) and shape[0] in (-1, len(value))
    return fits and all(_has_shape(item, shape[1:]) for item in value)


def _is_kind(value: Any, kind: str) -> bool:
    """Tell whether a value can be an answer of a type; numbers of all kinds compare as equal."""
    if isinstance(value, list):  # a shape that was not declared is not held against it
        return all(_is_kind(item, kind) for item in value)
    return kind == "string" or (not isinstance(value, dict | str))
