"""What was planned and what was measured while a rollout went on, in order of time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apps.governance.plan import SetWeight
from apps.monitoring.queries import Stretch, series
from apps.monitoring.rules import WindowCounts
from apps.rollouts.models import Rollout
from apps.rollouts.states import RolloutState
from placet.kernel.clock import now

BEFORE = timedelta(minutes=1)  # shown of the time before it began
WINDOW = 10  # seconds, of a node
MOST = 240  # stretches of a rollout, however long it goes on
WAYS_BACK = (
    RolloutState.RETURNING,
    RolloutState.ABORTING,
    RolloutState.ABORTED,
    RolloutState.FAILED,
)
NOTHING = Stretch(WindowCounts(), WindowCounts())


@dataclass(frozen=True, slots=True)
class Planned:
    """The weight that the candidate was to have from then on, out of 10,000."""

    at: datetime
    weight: int


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One stretch of time; a revision without a request in it is ``None``."""

    at: datetime
    share: float | None  # of the requests that the split decided on, to the candidate
    candidate: WindowCounts | None
    stable: WindowCounts | None
    copies: WindowCounts | None  # of requests, to the candidate


@dataclass(frozen=True, slots=True)
class Series:
    """A rollout over time. ``growing``: more is to come."""

    since: datetime
    until: datetime
    seconds: int  # of one stretch
    growing: bool
    planned: list[Planned]
    applied: datetime  # since when the present weights count
    points: list[SeriesPoint]


def series_of(rollout: Rollout) -> Series:
    """Return what was planned and measured from a minute before ``rollout`` to its end: what is
    answered after that is none of it."""
    at = now()
    since, end = rollout.created_at - BEFORE, rollout.finished_at or at
    seconds = stretch(end - since)
    candidate, stable = rollout.to_revision_id, rollout.from_revision_id or ""
    stretches = series([candidate, stable], since, end, seconds)
    return Series(
        since=since,
        until=end,
        seconds=seconds,
        # the last windows come late
        growing=rollout.finished_at is None or at < end + 2 * timedelta(seconds=WINDOW),
        planned=planned(rollout),
        applied=weights_began(rollout),
        points=points(stretches[candidate], stretches[stable]),
    )


def stretch(time: timedelta) -> int:
    """Return how many seconds one stretch has: whole windows, and not too many stretches."""
    return max(1, math.ceil(time.total_seconds() / MOST / WINDOW)) * WINDOW


def planned(rollout: Rollout) -> list[Planned]:
    """Return the weights in order of time: those of the steps that began, and 0 from its way back
    on."""
    steps, entered = rollout.steps, rollout.step_times
    weights = [
        Planned(datetime.fromisoformat(text), step.weight)
        for index, text in entered.items()
        if isinstance(step := steps[int(index)], SetWeight)
    ]
    at = gave_back(rollout)
    back = [Planned(at, 0)] if at else []
    return sorted([Planned(rollout.created_at, 0), *weights, *back], key=lambda row: row.at)


def weights_began(rollout: Rollout) -> datetime:
    """Return when the present weights began: when the node was seen to apply them, which begins
    the next step, or else when they were wished."""
    text, applied = rollout.created_at.isoformat(), True
    for index in range(rollout.step + 1):
        began = rollout.step_times.get(str(index))
        if isinstance(rollout.steps[index], SetWeight):
            text, applied = began or text, False
        elif began and not applied:
            text, applied = began, True
    return datetime.fromisoformat(text)


def gave_back(rollout: Rollout) -> datetime | None:
    """Return when ``rollout`` began to give all requests back; ``None`` where it did not."""
    times = [rollout.phase_times[state] for state in WAYS_BACK if state in rollout.phase_times]
    return datetime.fromisoformat(min(times)) if times else None


def points(candidate: Mapping[int, Stretch], stable: Mapping[int, Stretch]) -> list[SeriesPoint]:
    """Put what both revisions answered side by side."""
    series_points = []
    for begin in sorted(candidate.keys() | stable.keys()):
        mine, other = candidate.get(begin, NOTHING), stable.get(begin, NOTHING)
        both = mine.drawn.requests + other.drawn.requests
        series_points.append(
            SeriesPoint(
                at=datetime.fromtimestamp(begin, UTC),
                share=mine.drawn.requests / both if both else None,
                candidate=answered(mine.drawn),
                stable=answered(other.drawn),
                copies=answered(mine.mirrored),
            )
        )
    return series_points


def answered(counts: WindowCounts) -> WindowCounts | None:
    """Return ``counts`` if there is a request in them."""
    return counts if counts.requests else None
