"""Whether two answers to one request say the same. Pure, standard library only.

Classes, texts, booleans and whole numbers must be equal. Of two numbers of which one is no whole
number, as regressions and scores give them, the difference may be ``tolerance`` at most, or that
share of the larger one.
"""

import math
from typing import Any


def agree(stable: Any, candidate: Any, tolerance: float) -> bool:
    """Tell whether two answers, as JSON values, say the same."""
    if isinstance(stable, list) and isinstance(candidate, list):
        return len(stable) == len(candidate) and all(
            agree(a, b, tolerance) for a, b in zip(stable, candidate, strict=True)
        )
    if isinstance(stable, dict) and isinstance(candidate, dict):
        return stable.keys() == candidate.keys() and all(
            agree(stable[name], candidate[name], tolerance) for name in stable
        )
    if is_number(stable) and is_number(candidate):
        if isinstance(stable, int) and isinstance(candidate, int):
            return stable == candidate
        return math.isclose(stable, candidate, rel_tol=tolerance, abs_tol=tolerance)
    return type(stable) is type(candidate) and bool(stable == candidate)


def is_number(value: Any) -> bool:
    """Tell whether this is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
