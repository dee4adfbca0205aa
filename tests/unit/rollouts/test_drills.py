"""What a rollback drill does next, when the next one comes, and whether it passed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from apps.rollouts.drills import DrillResult, fault, first_time, lasted, next_time
from apps.rollouts.rules import (
    TRANSITIONS,
    RevisionChange,
    RevisionFacts,
    RolloutSnapshot,
    next_step,
)
from tests.unit.rollouts.test_rules import NOON
from tests.unit.rollouts.test_rules import facts as rollout

FORMER = RevisionFacts("ready", 10_000, 2, "serving", 2, 10_000)
LIVE = RevisionFacts("live", 0, 2, "ready", 2, 0)
AWAY = replace(FORMER, weight=0, phase="ready", applied_weight=0)
BACK = replace(LIVE, weight=10_000, phase="serving", applied_weight=10_000)


def facts(state: str, **changes: object) -> RolloutSnapshot:
    """Return a drill in ``state`` whose target has just answered."""
    drill = {"kind": "drill", "candidate": FORMER, "stable": LIVE, "step": 0}
    return rollout(state, **drill | changes)


def test_a_drill_gives_everything_back_as_soon_as_the_node_followed() -> None:
    step = next_step(facts("shifting"))
    assert step.to == "returning"
    assert step.changes == (
        RevisionChange("candidate", weight=0),
        RevisionChange("stable", weight=10_000),
    )
    assert next_step(facts("shifting", fresh=False)).to is None


def test_it_ends_when_the_live_revision_has_all_requests_and_leaves_the_former_one_warm() -> None:
    assert (
        next_step(facts("returning", candidate=AWAY, stable=replace(BACK, applied_weight=0))).to
        is None
    )
    assert next_step(facts("returning", candidate=AWAY, stable=BACK, fresh=False)).to is None
    step = next_step(facts("returning", candidate=AWAY, stable=BACK))
    assert (step.to, step.changes) == ("done", (RevisionChange("candidate", "warm"),))


def test_a_node_that_does_not_follow_in_time_is_waited_for_no_longer() -> None:
    candidate = replace(FORMER, applied_weight=0)
    assert (
        next_step(facts("shifting", candidate=candidate, now=NOON + timedelta(seconds=29))).to
        is None
    )
    step = next_step(facts("shifting", candidate=candidate, now=NOON + timedelta(seconds=30)))
    assert (step.to, step.changes[0]) == ("aborting", RevisionChange("candidate", weight=0))


@pytest.mark.parametrize("by_operator", [True, False])
def test_an_end_that_is_not_well_leaves_it_warm_too_unless_it_is_broken(by_operator: bool) -> None:
    step = next_step(facts("aborting", candidate=AWAY, stable=BACK, by_operator=by_operator))
    assert (step.to, step.changes) == (
        "aborted" if by_operator else "failed",
        (RevisionChange("candidate", "warm"),),
    )
    broken = replace(AWAY, phase="failed", detail="gone")
    assert next_step(facts("aborting", candidate=broken, stable=BACK)).changes == (
        RevisionChange("candidate", "failed"),
    )


def test_it_never_makes_anything_live() -> None:
    for state in TRANSITIONS:
        for applied in (0, 10_000):
            for seconds in (0, 40, 4000):
                candidate = replace(FORMER, applied_weight=applied)
                at = NOON + timedelta(seconds=seconds)
                step = next_step(facts(state, candidate=candidate, now=at, stable=BACK))
                assert step.to in (None, *TRANSITIONS[state])
                assert step.to != "draining"
                assert "live" not in {change.state for change in step.changes}


def test_the_first_one_comes_when_that_hour_does() -> None:
    assert first_time(13, NOON) == NOON + timedelta(hours=1)
    assert first_time(12, NOON) == NOON + timedelta(days=1)
    assert first_time(3, NOON) == NOON + timedelta(hours=15)


def test_the_next_one_lies_ahead_and_in_step() -> None:
    for seconds, days in ((0, 7), (1, 7), (6 * 86_400, 7), (7 * 86_400, 14), (40 * 86_400, 42)):
        at = NOON + timedelta(seconds=seconds)
        assert next_time(NOON, 7, at) == NOON + timedelta(days=days)
    assert next_time(NOON, 7, NOON - timedelta(days=30)) == NOON + timedelta(days=7)


def test_how_long_each_way_took() -> None:
    phases = {
        "starting": NOON.isoformat(),
        "shifting": (NOON + timedelta(seconds=1)).isoformat(),
        "returning": (NOON + timedelta(seconds=1.5)).isoformat(),
    }
    assert lasted(phases, NOON + timedelta(seconds=3)) == (0.5, 1.5)
    phases["aborting"] = phases.pop("returning")
    assert lasted(phases, NOON + timedelta(seconds=3)) == (None, 1.5)
    del phases["shifting"]
    assert lasted(phases, NOON) == (None, None)


PASSED = DrillResult("done", "A drill", 0.5, 0.7, answers=9, errors=0, failed_requests=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"failed_requests": None}, ""),
        ({"failed_requests": 3}, ""),  # of the live revision: not the drill's doing
        ({"answers": 0}, ""),
        ({"state": "aborted", "reason": "not now"}, "not now"),
        ({"seconds": 30.2}, "The way back to the former revision took 30.2 s"),
        ({"return_seconds": 61.0}, "The live revision had its requests again only after 61.0 s"),
        ({"errors": 2}, "2 of 9 answers of the former revision were server errors"),
    ],
)
def test_what_passes_and_what_does_not(changes: dict[str, object], words: str) -> None:
    assert fault(replace(PASSED, **changes)) == words  # type: ignore[arg-type]
