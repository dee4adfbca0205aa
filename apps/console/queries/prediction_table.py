"""Captured predictions as a table: a column for each answer and feature, and how they spread."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import Truncator

from apps.console.templatetags.placet import number
from apps.monitoring.agreement import is_number
from apps.monitoring.parquet import ParquetRow
from apps.monitoring.prediction_lines import json_or_none

FEATURES, ANSWERS = 6, 3  # columns; the others stand in the details of a row
BINS = 8
CLASSES = 6  # of one column that are counted one by one
CELL = 40  # characters
WIDTH, HEIGHT = 96, 26  # of a histogram
LARGEST = 1e300
PLAIN_INPUT, PLAIN_ANSWER = "input", "prediction"  # of what has no names


def first_row(text: str | None, plain: str) -> dict[str, Any]:
    """Return the first row of a captured JSON list by column; ``plain`` names what has no name."""
    try:
        found = json_or_none(text)
    except ValueError:  # no JSON at all
        return {}
    row = found[0] if isinstance(found, list) and found else found
    if row is None:
        return {}
    return dict(row) if isinstance(row, dict) else {plain: row}


def shown(value: Any) -> str:
    """Return a value as a cell has it."""
    return Truncator(number(value)).chars(CELL)


def drawable(value: Any) -> bool:
    """Tell whether a value has a place on an axis."""
    return is_number(value) and abs(value) < LARGEST


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Spread:
    """How the values of one column spread: as bars where they are numbers, else by value."""

    bars: Sequence[Bar]
    counts: Sequence[tuple[str, str]]  # a value, and how often
    words: str
    width: int = WIDTH
    height: int = HEIGHT


def spread_of(values: Sequence[Any]) -> Spread:
    """Return how the values of a column spread: few different ones are counted one by one."""
    counted = Counter(shown(value) for value in values)
    if len(counted) <= CLASSES or not all(map(drawable, values)):
        most = counted.most_common(CLASSES)
        rest = len(values) - sum(count for _, count in most)
        counts = [(text, number(count)) for text, count in most]
        counts += [("others", number(rest))] if rest else []
        return Spread((), counts, ", ".join(f"{text}: {count}" for text, count in counts))
    return histogram(values)


def histogram(values: Sequence[float]) -> Spread:
    """Return numbers as bars of equal width from the least to the greatest."""
    low, high = min(values), max(values)
    heights = [0] * BINS
    for value in values:
        # halves first: the distance of two numbers may be no number any more
        place = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.0
        heights[min(int(place * BINS), BINS - 1)] += 1
    most, step = max(heights), WIDTH / BINS
    bars = [
        Bar(round(n * step, 1), round(HEIGHT - h, 1), round(step - 1, 1), round(h, 1))
        for n, h in enumerate(count / most * (HEIGHT - 2) for count in heights)
        if h
    ]
    return Spread(bars, (), f"{number(low)} to {number(high)}")


@dataclass(frozen=True, slots=True)
class Column:
    """A feature or an answer, and how it spreads over the rows that are shown."""

    name: str
    is_answer: bool
    spread: Spread


@dataclass(frozen=True, slots=True)
class PredictionTable:
    """The columns of some predictions, answers first."""

    columns: Sequence[Column]
    hidden: int  # columns that only the details of a row have
    rows: int  # of which something is there

    def cells(self, content: ParquetRow | None) -> list[tuple[Column, str]]:
        """Return each column with what one prediction has in it."""
        inputs, outputs = both(content)
        return [
            (one, shown(source[one.name]) if one.name in source else "–")
            for one in self.columns
            for source in [outputs if one.is_answer else inputs]
        ]


def both(content: ParquetRow | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the first row of what a prediction was made of, and of what was answered."""
    if content is None:
        return {}, {}
    return first_row(content.inputs, PLAIN_INPUT), first_row(content.outputs, PLAIN_ANSWER)


def prediction_table(contents: Sequence[ParquetRow | None]) -> PredictionTable:
    """Return the columns that these predictions hold, in the order in which they name them."""
    rows = [row for row in map(both, contents) if any(row)]
    columns: list[Column] = []
    hidden = 0
    for part, most in ((1, ANSWERS), (0, FEATURES)):
        names = list(dict.fromkeys(name for row in rows for name in row[part]))
        hidden += max(0, len(names) - most)
        for name in names[:most]:
            values = [row[part][name] for row in rows if name in row[part]]
            columns.append(Column(name, bool(part), spread_of(values)))
    return PredictionTable(columns, hidden, len(rows))
