"""What a number in a document may be. Standard library only.

JSON's ``true`` is a whole number to Python, and what is no number (NaN) lies within no bounds.
"""

import math
from typing import TypeGuard


def is_whole(value: object, low: float = -math.inf, high: float = math.inf) -> TypeGuard[int]:
    """Tell whether this is a whole number from ``low`` to ``high``."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_number(
    value: object, low: float = -math.inf, high: float = math.inf
) -> TypeGuard[int | float]:
    """Tell whether this is a number from ``low`` to ``high``."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
