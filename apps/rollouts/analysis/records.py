"""What nodes measured, as an analysis takes it: windows, what is wrong with them, and their sum.

What is missing, not a number, negative, of another revision, or told twice is never counted: it
makes the whole analysis an ``error``.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from apps.rollouts.analysis.evidence import TrialTally
from placet_verify.numbers import is_whole

CLOCK_SLACK = timedelta(seconds=5)  # how far a window may reach beyond the platform's clock


@dataclass(frozen=True, slots=True)
class Window:
    """The requests of one revision on one node over some seconds, as the node reported them."""

    node: str
    revision: str
    started_at: datetime
    seconds: float
    errors: int  # answers 5xx
    answers: int  # answers with a status of 2xx, 4xx or 5xx
    latency: Mapping[str, int]  # requests per upper bound in milliseconds
    gap: str = ""  # why the node says that the counts are incomplete

    @property
    def ended_at(self) -> datetime:
        """When the window was closed."""
        return self.started_at + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Scale:
    """What clients report of predictions under a name: ``best`` is not bad, ``worst`` is."""

    name: str
    worst: float = 1.0
    best: float = 0.0

    @property
    def bad(self) -> str:
        """What a bad outcome is called."""
        if (self.worst, self.best) == (1, 0):
            return self.name
        return f"no {self.name}" if (self.worst, self.best) == (0, 1) else f"bad {self.name}"


@dataclass(frozen=True, slots=True)
class OutputTest:
    """Which captured outputs count as bad: those that are ``value``, or lie above it.

    With ``other`` all the rest do. Of an output with members ``field`` is the one looked at.
    """

    test: Literal["is", "above"]
    value: str | float | bool
    field: str = ""
    other: bool = False

    @property
    def named(self) -> str:
        """What is looked for, in words."""
        value = json.dumps(self.value, ensure_ascii=False)
        return f"above {value}" if self.test == "above" else value

    @property
    def bad(self) -> str:
        """What a prediction does that counts."""
        noun = self.field or "output"
        if self.test == "above":
            return f"gave {'no' if self.other else 'some'} {noun} {self.named}"
        return f"gave {f'another {noun} than' if self.other else noun} {self.named}"

    def seen(self, tally: TrialTally) -> bool:
        """Tell whether any prediction in ``tally`` gave what is looked for."""
        return tally.bad < tally.trials if self.other else tally.bad > 0


Own = Scale | OutputTest  # what is counted beside the windows, of captured predictions


@dataclass(frozen=True, slots=True)
class Sums:
    """The windows of one revision, added up, and what is known of its captured predictions."""

    requests: int = 0
    errors: int = 0
    latency: Mapping[float, int] = field(default_factory=dict)
    seconds: float = 0.0
    ended_at: datetime | None = None
    own: Mapping[Own, TrialTally] = field(default_factory=dict)

    def plus(self, window: Window) -> "Sums":
        """Return the sums with one more window in them."""
        latency = dict(self.latency)
        for name, count in window.latency.items():
            upper = upper_bound(name)
            latency[upper] = latency.get(upper, 0) + count
        ended = window.ended_at
        return Sums(
            self.requests + sum(window.latency.values()),
            self.errors + window.errors,
            latency,
            self.seconds + window.seconds,
            ended if self.ended_at is None else max(ended, self.ended_at),
            self.own,
        )

    def certainly_slower(self, milliseconds: float) -> int:
        """Return how many requests took longer for certain: their whole bucket lies above."""
        slower, lower = 0, 0.0
        for upper in sorted(self.latency):
            slower += self.latency[upper] if lower >= milliseconds else 0
            lower = upper
        return slower

    def possibly_slower(self, milliseconds: float) -> int:
        """Return how many requests may have taken longer: their bucket ends above."""
        return sum(count for upper, count in self.latency.items() if upper > milliseconds)


def upper_bound(name: str) -> float:
    """Read the upper bound of a bucket; raise :class:`ValueError` for what is none."""
    bound = math.inf if name == "inf" else float(name)
    if math.isnan(bound) or bound <= 0:
        raise ValueError(name)
    return bound


def add_up(windows: Iterable[Window], own: Mapping[Own, TrialTally] | None = None) -> Sums:
    """Return the sums of ``windows``, and what is counted beside them."""
    sums = Sums(own=own or {})
    for window in windows:
        sums = sums.plus(window)
    return sums


def fault(windows: Sequence[Window], revision: str, *, now: datetime) -> str:
    """Return why ``windows`` cannot be judged as those of ``revision``, in words, or ''."""
    for window in windows:
        if reason := _window_fault(window, revision, now):
            return reason
        if set(window.latency) != set(windows[0].latency):
            return "Windows with other latency buckets than the first cannot be added to it"
    ends: dict[str, datetime] = {}
    for window in sorted(windows, key=lambda w: w.started_at):
        last = ends.get(window.node)
        if last is not None and window.started_at < last - CLOCK_SLACK:
            return "Windows of one node overlap: its clock was set, or one was told twice"
        ends[window.node] = window.ended_at
    return ""


def _window_fault(window: Window, revision: str, now: datetime) -> str:
    if window.revision != revision:
        return f"A window belongs to another revision ({window.revision})"
    if window.gap:
        return f"The node says that its counts are incomplete: {window.gap}"
    counts = [window.errors, window.answers, *window.latency.values()]
    if not all(is_whole(count, 0) for count in counts):
        return "A window holds a count that is negative or no number"
    if not _finite(window.seconds) or window.seconds <= 0:
        return "A window has no length"
    try:
        for name in window.latency:
            upper_bound(name)
    except ValueError:
        return "A latency bucket has no upper bound"
    if window.errors > window.answers or window.answers > sum(window.latency.values()):
        return "A window counts more answers than requests whose time was taken"
    if window.ended_at > now + CLOCK_SLACK:
        return "A window lies in the future: the clock of the node is ahead"
    return ""


def _finite(number: float) -> bool:
    return isinstance(number, int | float) and math.isfinite(number)
