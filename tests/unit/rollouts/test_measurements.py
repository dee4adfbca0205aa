"""Since when an analysis of a split by unit counts, and when it looks again."""

from datetime import datetime, timedelta

import pytest

from apps.governance.plan import Analysis, Pause, Plan, SetMirror, SetWeight
from apps.governance.plan.analysis import CAREFUL
from apps.rollouts.measurements import due, weight_applied
from apps.rollouts.models import Look
from apps.rollouts.rules import RevisionFacts, RolloutSnapshot

LOOK = Analysis(**CAREFUL)
STEPS = (
    SetWeight(5),
    Pause(duration_seconds=60),
    LOOK,
    SetMirror(percent=1),
    SetWeight(50),
    LOOK,
    Pause(duration_seconds=60),
    LOOK,
)
NOW = datetime.fromisoformat("2026-11-25T12:00:00+00:00")


def time(index: int) -> str:
    """Return when a step began."""
    return f"2026-11-25T11:{index:02}:00+00:00"


@pytest.mark.parametrize(
    ("index", "since"), [(2, 1), (5, None), (7, 5)], ids=["after a pause", "at once", "again"]
)
def test_units_that_came_since_the_weight_applies_count(index: int, since: int | None) -> None:
    began = {str(p): time(p) for p in range(index + 1)}
    expected = NOW if since is None else datetime.fromisoformat(time(since))
    assert weight_applied(STEPS, index, began, NOW) == expected


def test_a_step_that_was_skipped_has_no_time() -> None:
    assert weight_applied(STEPS, 7, {"4": time(4), "6": time(6)}, NOW).minute == 6
    assert weight_applied(STEPS, 2, {"0": time(0), "2": time(2)}, NOW) == NOW


@pytest.mark.parametrize(
    ("ago", "is_due"), [(71, False), (72, True), (-1, True)], ids=["soon", "later", "clock back"]
)
def test_another_look_comes_after_a_hundredth_of_the_time(ago: int, is_due: bool) -> None:
    since = NOW - timedelta(hours=2)
    facts = RolloutSnapshot(
        state="analysing",
        kind="release",
        now=NOW,
        deadline=NOW,
        entered_at=since,
        fresh=True,
        by_operator=False,
        plan=Plan(),
        candidate=RevisionFacts("ready", 500, 1),
        stable=None,
    )
    assert due(Look(at=NOW - timedelta(seconds=ago)), facts) is is_due
