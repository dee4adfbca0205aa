"""Which analyses skipping a step and promoting go past: those that do not end, and no others."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.governance.plan import Analysis, Pause, Plan, SetWeight, Step
from apps.rollouts.analysis import DecidingVerdict
from apps.rollouts.rules import (
    PROMOTE,
    SKIP,
    Intent,
    RolloutSnapshot,
    next_step,
    passed_over,
    promote,
    skip,
)
from apps.rollouts.rules.passing import LoggedPassing, PassedStep, PassingVerb, went_past
from apps.rollouts.steps import state_of
from placet_verify.units import WHOLE
from tests.unit.rollouts.test_rules import READY, STABLE, facts

LOOK = Analysis.read({"metrics": [{"metric": "error_rate"}]})
PLAN = (SetWeight(5), LOOK, SetWeight(50), Pause(), LOOK, SetWeight(100), LOOK, Pause(), LOOK)
GOOD = DecidingVerdict("successful", "Well.")


def at(place: int, steps: tuple[Step, ...] = PLAN, **changes: Any) -> RolloutSnapshot:
    """Return a rollout at the step of ``place``, which has done there what it has to."""
    weights = [step.weight for step in steps[: place + 1] if isinstance(step, SetWeight)]
    weight = weights[-1] if weights else 0
    candidate = replace(READY, state="ready", weight=weight, applied_weight=weight)
    stable = replace(STABLE, weight=WHOLE - weight, applied_weight=WHOLE - weight)
    state = state_of(steps[place]) if place >= 0 else "starting"
    known = {"plan": Plan.stored({"steps": steps}), "step": place, "judged": GOOD}
    return facts(state, **({"candidate": candidate, "stable": stable} | known | changes))


def indexes(found: tuple[PassedStep, ...]) -> list[tuple[int, bool]]:
    """Return where they are, and whether they had begun."""
    return [(one.index, one.is_cut) for one in found]


@pytest.mark.parametrize(
    ("place", "passed"),
    [
        (-1, [(1, False), (4, False), (6, False), (8, False)]),
        (0, [(1, False), (4, False), (6, False), (8, False)]),
        (1, [(1, True), (4, False), (6, False), (8, False)]),
        (3, [(4, False), (6, False), (8, False)]),
        (5, [(6, False), (8, False)]),
        (6, [(8, False)]),  # the one that runs ends by itself, and is waited for
        (8, []),
    ],
)
def test_promoting_goes_past_every_analysis_that_is_not_over(place: int, passed: Any) -> None:
    assert indexes(passed_over(at(place), PROMOTE)) == passed


@pytest.mark.parametrize(
    ("place", "passed"), [(0, []), (1, [(1, True)]), (3, []), (6, [(6, True)])]
)
def test_skipping_goes_past_the_analysis_that_runs_and_no_other(place: int, passed: Any) -> None:
    assert indexes(passed_over(at(place), SKIP)) == passed


def test_what_cannot_be_skipped_goes_past_nothing() -> None:
    assert skip(at(5)) is None
    assert passed_over(at(5), SKIP) == passed_over(at(-1), SKIP) == ()


def test_what_was_promoted_goes_past_nothing_twice_but_the_analysis_it_waits_for() -> None:
    assert passed_over(at(6, promoted=True), PROMOTE) == ()
    assert indexes(passed_over(at(6, promoted=True), SKIP)) == [(6, True)]


def test_what_was_promoted_is_live_behind_a_step_that_somebody_skips() -> None:
    on = skip(at(6, promoted=True))
    assert on is not None and on.to == "draining"


def test_a_way_back_and_a_first_release_have_no_analysis_to_go_past() -> None:
    for changes in ({"kind": "rollback"}, {"stable": None}):
        alone = at(-1, **changes)
        assert passed_over(alone, PROMOTE) == ()


steps_of = st.lists(
    st.sampled_from([LOOK, Pause(), Pause(duration_seconds=60), SetWeight(5), SetWeight(50)]),
    max_size=8,
)


@given(before=steps_of, behind=steps_of, data=st.data())
def test_what_is_passed_over_is_exactly_the_analyses_that_do_not_end(
    before: list[Step], behind: list[Step], data: st.DataObject
) -> None:
    """The rules are followed to the end: what ends goes on from there by itself."""
    ends = [step for step in behind if not isinstance(step, SetWeight)]
    steps = (*before, SetWeight(100), *ends)
    place = data.draw(st.integers(-1, len(steps) - 1))
    verb: PassingVerb = data.draw(st.sampled_from([SKIP, PROMOTE]))
    start = at(place, steps)
    over = {one.index for one in passed_over(start, verb)}
    intent = skip(start) if verb == SKIP else promote(start)
    if verb == SKIP and intent is None:
        assert not over
        return
    ended = {index for index in range(max(place, 0)) if isinstance(steps[index], Analysis)}
    ended |= follow(start, intent, steps, promoted=verb == PROMOTE)
    analyses = {index for index, step in enumerate(steps) if isinstance(step, Analysis)}
    assert over == analyses - ended


def follow(
    start: RolloutSnapshot, intent: Intent | None, steps: tuple[Step, ...], *, promoted: bool
) -> set[int]:
    """Return which analyses end by themselves from there until it is live."""
    ended: set[int] = set()
    now = replace(start, promoted=promoted)
    for _ in range(2 * len(steps) + 2):
        if intent is None or intent.to is None:
            later = replace(now, now=now.now + timedelta(days=1))
            resumed = isinstance(now.present, Pause) and now.state == "waiting"
            intent = skip(later) if resumed else next_step(later)
            if now.state == "analysing" and intent is not None and intent.to is not None:
                ended.add(now.step)
        assert intent is not None and intent.to is not None
        if intent.to == "draining":
            return ended
        assert intent.step is not None
        now, intent = at(intent.step, steps, promoted=promoted), None
    raise AssertionError("it never went live")


def logged(kind: str, place: int, step: int | None = None) -> LoggedPassing[str]:
    """Return an event that says so."""
    return LoggedPassing(f"rollout.{kind}", place, step, f"{kind} {place}")


def test_the_log_tells_what_was_skipped_and_promoted_past_before_that_was_written_down() -> None:
    told = [
        logged("step_skipped", 3, 2),
        logged("promoted", 7),
        logged("shifting", 8),
    ]
    passed = went_past(PLAN, [0, 1, 2, 3, 5], told)
    assert {index: by for index, by in passed.items() if isinstance(PLAN[index], Analysis)} == {
        1: "step_skipped 3",
        4: "promoted 7",
        6: "promoted 7",
        8: "promoted 7",
    }
    assert went_past(PLAN, [0, 1, 2], []) == {}
