"""Stretches of time, and what stands in each."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.governance.plan import Analysis, Pause, SetWeight, Step
from apps.governance.plan.analysis import CAREFUL
from apps.monitoring.queries import Stretch
from apps.monitoring.rules import WindowCounts
from apps.rollouts.series import MOST, points, stretch
from apps.rollouts.steps import for_person

NONE = WindowCounts()


@pytest.mark.parametrize(
    ("minutes", "seconds"), [(0, 10), (1, 10), (40, 10), (41, 20), (7 * 1440, 2520)]
)
def test_a_stretch_is_some_windows_and_there_are_not_too_many(minutes: int, seconds: int) -> None:
    time = timedelta(minutes=minutes)
    assert stretch(time) == seconds
    assert time.total_seconds() / seconds <= MOST


def test_what_both_answered_stands_side_by_side() -> None:
    candidate = {
        20: Stretch(WindowCounts(status_2xx=1), NONE),
        30: Stretch(NONE, WindowCounts(status_2xx=2, status_5xx=1)),
    }
    stable = {
        10: Stretch(WindowCounts(status_2xx=4), NONE),
        20: Stretch(WindowCounts(status_2xx=3), NONE),
    }
    first, second, third = points(candidate, stable)
    assert (first.at, first.share) == (datetime.fromtimestamp(10, UTC), 0.0)
    assert (first.candidate, first.stable) == (None, stable[10].drawn)
    assert second.share == 0.25
    assert third.share is None  # copies are no share of anything
    assert (third.candidate, third.stable, third.copies) == (None, None, candidate[30].mirrored)


@pytest.mark.parametrize(
    ("step", "state", "spent", "waits"),
    [
        (Pause(), "waiting", 0, True),
        (Pause(), "starting", 900, False),
        (Pause(duration_seconds=60), "waiting", 900, False),
        (SetWeight(5), "shifting", 900, False),
        (Analysis(**CAREFUL | {"timeout_seconds": 60}), "analysing", 59, False),
        (Analysis(**CAREFUL | {"timeout_seconds": 60}), "analysing", 60, True),
        (Analysis(**CAREFUL | {"timeout_seconds": 60}), "aborting", 60, False),
        (
            Analysis(**CAREFUL | {"timeout_seconds": 60, "on_inconclusive": "abort"}),
            "analysing",
            60,
            False,
        ),
    ],
)
def test_only_a_person_ends_it(step: Step, state: str, spent: int, waits: bool) -> None:
    assert for_person(step, state, timedelta(seconds=spent)) is waits
