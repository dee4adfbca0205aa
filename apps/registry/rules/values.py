"""JSON values that canonical JSON can hold and every reader reads alike."""

import math
from collections.abc import Callable
from typing import Any

from placet.kernel.problems import FieldError
from placet_verify.numbers import is_whole

SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 16


def number(value: Any) -> bool:
    """Tell whether ``value`` is a finite number; booleans are none. PostgreSQL gives a larger float
    back as a whole number, which canonical JSON cannot hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -SAFE_INTEGER <= value <= SAFE_INTEGER


def count(value: Any) -> bool:
    """Tell whether ``value`` is a whole number from 0 on."""
    return is_whole(value, 0, SAFE_INTEGER)


def is_writable(value: Any) -> bool:
    """Tell whether canonical JSON can hold a number. Earlier releases took floats of any size."""
    return isinstance(value, float) or abs(value) <= SAFE_INTEGER


def json_faults(
    value: Any, pointer: str, depth: int = 1, *, fits: Callable[[Any], bool] = number
) -> list[FieldError]:
    """Return what in ``value`` cannot be written as canonical JSON; ``fits`` says which numbers
    can."""
    if depth > MAX_DEPTH:
        return [FieldError(pointer, f"Nested deeper than {MAX_DEPTH} levels")]
    if value is None or isinstance(value, bool):
        return []
    if isinstance(value, str):
        return _text_faults(value, pointer)
    if isinstance(value, int | float):
        return [] if fits(value) else [FieldError(pointer, _number_problem(value))]
    if isinstance(value, list):
        each = (json_faults(v, f"{pointer}/{i}", depth + 1, fits=fits) for i, v in enumerate(value))
        return [fault for faults in each for fault in faults]
    if isinstance(value, dict):
        faults: list[FieldError] = []
        for key, item in value.items():
            step = f"{pointer}/{escape(str(key))}"
            if not isinstance(key, str):
                faults.append(FieldError(step, "A name must be text"))
                continue
            faults += _text_faults(key, step) + json_faults(item, step, depth + 1, fits=fits)
        return faults
    return [FieldError(pointer, f"A {type(value).__name__} is not a JSON value")]


def escape(name: str) -> str:
    """Return ``name`` as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _text_faults(value: str, pointer: str) -> list[FieldError]:
    if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
        return [FieldError(pointer, "Text may not hold NUL or half of a surrogate pair")]
    return []


def _number_problem(value: int | float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "Must be a finite number (NaN and Infinity are none)"
    return "A number beyond 2^53 is not read alike everywhere: write it as text"
