"""Metrics that a Prometheus measures: held to a bound for a time, as its alerting rules do.

Nothing is known of how such a number came about, so there is no evidence to be had and no part of
α to be spent: a bound broken at every point for so long fails, one kept at every point for so long
succeeds, and whoever wrote the bound answers for how often chance does either. A point that is
missing, or no number, is never counted as kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

POINTS = 10  # that make up the time for which a bound must be kept or broken
MOST_POINTS = 10_000  # that are read at once; Prometheus gives 11,000


@dataclass(frozen=True, slots=True)
class Threshold:
    """A query, and the bound that what it says is held to for so many seconds."""

    query: str
    bound: float
    side: Literal["at_most", "at_least"]
    for_seconds: int

    @property
    def asked(self) -> str:
        """What is asked, in words."""
        side = self.side.replace("_", " ")
        return f"{self.query} {side} {self.bound:g} for {self.for_seconds} s"

    @property
    def step(self) -> int:
        """Seconds from one point to the next."""
        return max(self.for_seconds // POINTS, 1)

    def begin(self, since: datetime, now: datetime) -> datetime:
        """Return where to begin to read: with the step, or as far back as one answer reaches."""
        return max(since, now - timedelta(seconds=self.step * MOST_POINTS))

    def keeps(self, value: float) -> bool:
        """Tell whether a value is within the bound; what is no number is not."""
        return value <= self.bound if self.side == "at_most" else value >= self.bound


@dataclass(frozen=True, slots=True)
class ReadingPoint:
    """What a query said at one moment, in seconds since 1970."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What follows for one threshold."""

    threshold: Threshold
    outcome: Literal["successful", "failed", "inconclusive", "error"]
    sentence: str
    value: float | None = None


def unread(threshold: Threshold, why: str) -> Reading:
    """Return what follows where nothing could be read."""
    return Reading(threshold, "error", f"Prometheus cannot be read: {why}")


def reading(
    threshold: Threshold, points: Sequence[ReadingPoint], *, since: datetime, now: datetime
) -> Reading:
    """Return what follows from the points of a step that began at ``since``, a ``step`` apart."""
    wanted, sentence = _wanted(threshold), _said(threshold, points)
    value = points[-1].value if points else None
    if any(not math.isfinite(point.value) for point in points[-wanted:]):
        return unread(threshold, f"{threshold.query} is not a number")
    if _longest(threshold, points) >= wanted:
        text = f"{sentence} It was not so for {threshold.for_seconds} s."
        return Reading(threshold, "failed", text, value)
    begins = now - timedelta(seconds=threshold.for_seconds)
    if since > begins:
        text = f"{sentence} It must be so for {threshold.for_seconds} s."
        return Reading(threshold, "inconclusive", text, value)
    # Prometheus cuts its times to milliseconds
    recent = [point for point in points if point.at > begins.timestamp() - threshold.step / 2]
    if len(recent) < wanted:
        why = f"{threshold.query} has no value for a part of the last {threshold.for_seconds} s"
        return unread(threshold, why)
    if all(threshold.keeps(point.value) for point in recent):
        return Reading(threshold, "successful", sentence, value)
    text = f"{sentence} It was not so all of the last {threshold.for_seconds} s."
    return Reading(threshold, "inconclusive", text, value)


def _wanted(threshold: Threshold) -> int:
    """Return how many points in a row make up the time: both ends count."""
    return threshold.for_seconds // threshold.step + 1


def _longest(threshold: Threshold, points: Sequence[ReadingPoint]) -> int:
    """Return the most points in a row that broke the bound. A missing one ends the row."""
    longest = row = 0
    before = -math.inf
    for point in points:
        broken = math.isfinite(point.value) and not threshold.keeps(point.value)
        follows = point.at - before <= 1.5 * threshold.step
        row = (row + 1 if follows else 1) if broken else 0
        longest, before = max(longest, row), point.at
    return longest


def _said(threshold: Threshold, points: Sequence[ReadingPoint]) -> str:
    value = f"{points[-1].value:g}" if points else "nothing"
    side = threshold.side.replace("_", " ")
    return f"{threshold.query} is {value}; {side} {threshold.bound:g} allowed."
