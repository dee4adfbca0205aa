"""Confidence sequences: bounds on a rate and on a difference that hold at every look at once.

A bound is what the evidence does not rule out: the lower bound of the difference is the first
margin against which the e-process has not reached 1/α (Howard, Ramdas, McAuliffe and Sekhon 2021;
Turner and Grünwald, "Exact anytime-valid confidence intervals for contingency tables and beyond",
2023). With probability at least 1 − α the truth is never below a lower bound, at whichever look;
the same holds for an upper bound.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.rollouts.analysis.evidence import Direction, TrialTally, against_bound, against_stable

HALVINGS = 8
_FINE = tuple(10 ** (-5 + step / 4) for step in range(20))  # 0.001% to 56%
_RATES = (1e-6, *_FINE, 0.75, 0.9, 0.99, 0.999)
_DIFFERENCES = (*(-value for value in reversed(_FINE)), 0.0, *_FINE)


@dataclass(frozen=True, slots=True)
class Interval:
    """A lower and an upper bound."""

    low: float
    high: float


def rate_bound(tally: TrialTally, *, alpha: float, direction: Direction) -> float:
    """Return the lower bound of a rate (``worse``: it is above) or the upper one (``better``)."""
    return _first(
        _RATES,
        (0.0, 1.0),
        alpha,
        direction,
        lambda at: against_bound(tally, bound=at, direction=direction),
    )


def difference_bound(
    candidate: TrialTally,
    stable: TrialTally,
    *,
    share: float,
    alpha: float,
    direction: Direction,
    common: bool = False,
) -> float:
    """Return the lower bound of the candidate's rate less stable's, or the upper one."""
    return _first(
        _DIFFERENCES,
        (-1.0, 1.0),
        alpha,
        direction,
        lambda at: against_stable(
            candidate, stable, share=share, margin=at, direction=direction, common=common
        ),
    )


def _first(
    points: Sequence[float],
    ends: tuple[float, float],
    alpha: float,
    direction: Direction,
    log_evidence: Callable[[float], float],
) -> float:
    """Return the last value, coming in from an end, that is ruled out.

    Stopping at the first value that is not ruled out keeps the bound valid even where the
    evidence should not fall steadily.
    """
    needed = -math.log(alpha)
    out = end = ends[0] if direction == "worse" else ends[1]
    for point in points if direction == "worse" else reversed(points):
        if log_evidence(point) < needed:
            return end if out == end else _halve(out, point, needed, log_evidence)
        out = point
    return out


def _halve(out: float, kept: float, needed: float, log_evidence: Callable[[float], float]) -> float:
    for _ in range(HALVINGS):
        middle = (out + kept) / 2
        out, kept = (middle, kept) if log_evidence(middle) >= needed else (out, middle)
    return out
