"""What a number in a document may be. Standard library only.

JSON's ``true`` is a whole number to Python, and what is no number (NaN) lies within no bounds.
"""


def is_whole(value: object, low: int, high: int) -> bool:
    """Tell whether this is a whole number from ``low`` to ``high``."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_number(value: object, low: float, high: float) -> bool:
    """Tell whether this is a number from ``low`` to ``high``."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
