"""From when to when the page of a rollout counts, and what it says where nothing is counted."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.console.queries.rollout_counts import StepTime, step_time
from apps.governance.plan import Plan
from apps.monitoring.queries import WholeWindows

DAY = datetime(2026, 11, 30, 11, 20, tzinfo=UTC)
CANARY = Plan.model_validate(
    {
        "strategy": "canary",
        "steps": [{"set_weight": 10}, {"pause": {}}, {"set_weight": 50}, {"pause": {}}],
    }
).steps


def at(seconds: float) -> datetime:
    return DAY + timedelta(seconds=seconds)


def found(first: float | None = None, last: float | None = None) -> WholeWindows:
    begins, ends = (None if one is None else at(one) for one in (first, last))
    return WholeWindows({}, begins, ends)


@pytest.mark.parametrize(
    ("windows", "now", "heard", "said"),
    [
        (found(), 32, True, (30, 30, 40)),  # the first one is under way
        (found(), 41, True, (30, 30, None)),  # it is over, and may come still
        (found(30.004, 70.006), 76, True, (30, 70, None)),
        (found(30.004, 69.999), 76, False, (30, 70, None)),
        (found(30.004, 40.001), 200, True, (30, 170, None)),  # no request since: no window
        (found(30.004, 40.001), 200, False, (30, 40, None)),  # a silent node may have more
        (found(), 200, False, (30, 30, None)),
        (found(27, 37), 40, True, (27, 37, None)),  # of an older agent
    ],
)
def test_a_step_under_way_is_counted_as_far_as_its_windows_are_over(
    windows: WholeWindows, now: float, heard: bool, said: tuple[float, float, float | None]
) -> None:
    counted = StepTime(at(20.3), None).known(windows, at(now), heard=heard)
    awaited = None if said[2] is None else at(said[2])
    assert (counted.since, counted.until) == (at(said[0]), at(said[1]))
    assert (counted.awaited, counted.is_over, counted.too_short) == (awaited, False, False)
    assert counted.something == (said[0] < said[1])


@pytest.mark.parametrize(
    ("windows", "ended", "now", "said"),
    [
        (found(20.002, 50.003), 52.8, 53, (20, 50, False)),
        (found(20.002, 40.001), 52.8, 53, (20, 40, False)),  # the last one is on its way
        (found(20.002, 40.001), 52.8, 900, (20, 50, False)),  # it never came: no request
        (found(), 29, 900, (20, 20, True)),
        (found(), 30.4, 900, (20, 20, True)),  # a busy node ends its window later than that
        (found(), 52.8, 53, (20, 20, False)),
        (found(18, 28), 29, 900, (18, 28, False)),
    ],
)
def test_a_step_that_is_over_is_counted_by_the_whole_windows_in_it(
    windows: WholeWindows, ended: float, now: float, said: tuple[float, float, bool]
) -> None:
    counted = StepTime(at(17.1), at(ended)).known(windows, at(now), heard=True)
    assert (counted.since, counted.until) == (at(said[0]), at(said[1]))
    assert (counted.awaited, counted.is_over, counted.too_short) == (None, True, said[2])


def test_a_step_that_begins_with_a_window_has_it_whole() -> None:
    assert StepTime(at(20), None).first == at(20)


@pytest.mark.parametrize(
    ("step", "phases", "finished", "began", "ended"),
    [
        (-1, {}, None, 0, None),
        (0, {}, None, 10, None),  # wished, and not applied yet
        (1, {}, None, 11, None),  # the node was seen to apply it
        (2, {}, None, 30, None),
        (3, {"aborting": 47, "aborted": 50}, 50, 32, 47),
        (3, {"aborted": 48}, 48, 32, 48),  # by a recall
        (3, {"shifting": 10}, 60, 32, 60),
    ],
)
def test_a_step_has_its_weight_from_when_the_node_applied_it_to_when_it_gave_it_back(
    step: int, phases: dict[str, int], finished: int | None, began: int, ended: int | None
) -> None:
    row: Any = SimpleNamespace(
        created_at=at(0),
        finished_at=None if finished is None else at(finished),
        step=step,
        steps=CANARY,
        step_times={str(n): at(s).isoformat() for n, s in enumerate((10, 11, 30, 32))},
        phase_times={name: at(seconds).isoformat() for name, seconds in phases.items()},
    )
    time = step_time(cast("Any", row))
    assert (time.began, time.ended) == (at(began), None if ended is None else at(ended))
