"""Are two lists of answers equal, number by number, within a tolerance that is stated?"""

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a fraction may be off: ``|a - b| <= absolute + relative * |b|``."""

    absolute: float
    relative: float

    def holds(self, actual: float, wanted: float) -> bool:
        """Tell whether ``actual`` is close enough."""
        return abs(actual - wanted) <= self.absolute + self.relative * abs(wanted)


EXACT = Tolerance(1e-9, 1e-6)  # the same model again: only the way through JSON lies between
# ONNX computes in 32 bits what the original computes in 64
ACCELERATED = Tolerance(1e-5, 1e-5)


def every(rows: int) -> str:
    """Begin the sentence of what is so of every row."""
    return "The only row is" if rows == 1 else f"All {rows} rows are"


@dataclass(slots=True)
class OutputComparison:
    """What comparing came to. Labels (whole numbers, texts, truth values) must be the same."""

    tolerance: Tolerance
    rows: int = 0
    equal: int = 0
    max_absolute: float = 0.0
    max_relative: float = 0.0
    first: str = ""  # the first difference, in words
    _row: list[str] = field(default_factory=list)

    def add(self, actual: Any, wanted: Any) -> None:
        """Compare the answers to one row."""
        self._row = []
        self._value(actual, wanted, "")
        if self._row and not self.first:
            self.first = f"Row {self.rows} is {self._row[0]}"
        self.equal += not self._row
        self.rows += 1

    def _value(self, actual: Any, wanted: Any, where: str) -> None:
        if isinstance(actual, dict) and isinstance(wanted, dict) and set(actual) == set(wanted):
            for name in wanted:
                self._value(actual[name], wanted[name], f" in {name}")
        elif isinstance(actual, list) and isinstance(wanted, list) and len(actual) == len(wanted):
            for one, other in zip(actual, wanted, strict=True):
                self._value(one, other, where)
        elif isinstance(wanted, float) and _number(actual):
            self._fraction(float(actual), wanted, where)
        elif type(actual) is not type(wanted) or actual != wanted:
            self._row.append(f"{_short(actual)}, not {_short(wanted)}{where}")

    def _fraction(self, actual: float, wanted: float, where: str) -> None:
        apart = abs(actual - wanted)
        self.max_absolute = max(self.max_absolute, apart)
        if abs(wanted) > self.tolerance.absolute:
            self.max_relative = max(self.max_relative, apart / abs(wanted))
        if not self.tolerance.holds(actual, wanted):
            self._row.append(f"{actual:.9g}, not {wanted:.9g}{where}")


def compare(actual: list[Any], wanted: list[Any], tolerance: Tolerance) -> OutputComparison:
    """Compare answers row by row; a different number of rows is a difference."""
    comparison = OutputComparison(tolerance)
    for one, other in zip(actual, wanted, strict=False):
        comparison.add(one, other)
    if len(actual) != len(wanted):
        comparison.first = f"{len(actual)} answers for {len(wanted)} rows"
        comparison.equal = 0
    return comparison


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _short(value: Any) -> str:
    return ascii(value)[:80]
