"""What a revision answered, as lines of a table: the figures of endpoints and rollouts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.console.queries.prediction_table import ANSWERS, PLAIN_ANSWER, spread_of
from apps.console.templatetags.placet import number, rate
from apps.monitoring.rules import FEWEST, WindowCounts
from placet_verify.capture import REDACTED

NONE = "–"
QUANTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))


@dataclass(frozen=True, slots=True)
class FigureColumn:
    """What one revision answered from ``since`` to ``until``."""

    of: str
    when: str
    since: datetime
    until: datetime
    counts: WindowCounts


def figure_rows(columns: Sequence[FigureColumn]) -> list[tuple[str, list[str]]]:
    """Return the lines of a table: each figure, and its value for every column. Percentiles of
    fewer requests than pages show them of are left out."""
    every = [column.counts for column in columns]
    rows = [
        ("Requests", [number(counts.requests) for counts in every]),
        ("Server errors", [rate(counts.error_rate) for counts in every]),
        ("Rejected requests (4xx)", [rate(counts.rejected_rate) for counts in every]),
    ]
    return rows + [(name, [_latency(counts, at) for counts in every]) for name, at in QUANTILES]


def _latency(counts: WindowCounts, quantile: float) -> str:
    value = counts.percentile(quantile) if counts.requests >= FEWEST else None
    return NONE if value is None else f"{number(value)} ms"


def output_rows(new: Sequence[Any], old: Sequence[Any]) -> list[tuple[str, str, str]]:
    """Return by name how the outputs of two revisions spread: how often each class, or from where
    to where numbers go."""
    mine, others = _by_name(new), _by_name(old)
    return [(name, _spread(mine[name]), _spread(others.get(name, []))) for name in mine][:ANSWERS]


def _by_name(outputs: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for output in outputs:
        row = output if isinstance(output, dict) else {PLAIN_ANSWER: output}
        for name, value in row.items():
            if value != REDACTED:
                found.setdefault(name, []).append(value)
    return found


def _spread(values: Sequence[Any]) -> str:
    return spread_of(values).words if values else NONE
