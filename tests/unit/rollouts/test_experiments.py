"""A/B tests: when one ends, how its α is spent, and how often it is wrong."""

import math
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from apps.governance.plan import AbTest, Plan, Ship
from apps.rollouts.analysis import (
    AnalysisTerms,
    AnalysisVerdict,
    DecidingVerdict,
    JudgedMetric,
    StepMeasurements,
    judge,
)
from apps.rollouts.analysis.findings import RATIO_PART
from apps.rollouts.analysis.stored_verdict import judged_by, keep
from apps.rollouts.measurements import terms_of
from apps.rollouts.rules import TRANSITIONS, RolloutSnapshot, go_on, next_step, promote, skip
from apps.rollouts.steps import judged_index, state_of, untested
from proofs import analysis as simulation
from proofs.analysis_effects import ALPHA, CASES, ab_test, effects, terms
from tests.unit.rollouts.test_analysis import window
from tests.unit.rollouts.test_rules import NOON, READY, facts
from tests.unit.rollouts.test_steps import follow, later

PLAN = Plan.read({"strategy": "ab_test"})
TEST, SHIP = 1, 2
SEEN = DecidingVerdict("inconclusive", "Inconclusive.", 1_000)
EFFECT = JudgedMetric("error_rate").seeking(0.01)
GUARD = JudgedMetric("latency", margin=0.05, milliseconds=250)


def at(index: int, judged: DecidingVerdict | None = None, **changes: object) -> RolloutSnapshot:
    """Return a test at its step of ``index`` whose node applies half and half."""
    half = replace(READY, state="ready", weight=5_000, phase="serving", applied_weight=5_000)
    known = {"plan": PLAN, "step": index, "candidate": half, "judged": judged}
    return facts(state_of(PLAN.steps[index]), **(known | changes))


class TestStopRule:
    def test_it_holds_its_allocation_while_nothing_is_shown(self) -> None:
        for seen in (None, SEEN, replace(SEEN, candidate_requests=99_999)):
            assert next_step(at(TEST, seen)).to is None

    def test_an_effect_waits_for_an_approval_and_for_nothing_else(self) -> None:
        step = next_step(at(TEST, DecidingVerdict("successful", "Better.", 10)))
        assert (step.to, step.step, step.changes) == ("waiting", SHIP, ())
        for passed in (0, 10**9):
            waits = next_step(
                at(SHIP, DecidingVerdict("successful", "Better.", 10), **later(passed))
            )
            assert (waits.to, waits.waiting_for) == (None, "an approver to ship it")

    def test_one_that_is_held_or_whose_node_is_silent_does_not_go_on(self) -> None:
        good = DecidingVerdict("successful", "Better.", 10)
        for changes in ({"paused": True}, {"alive": False}, {"fresh": False}):
            assert next_step(at(TEST, good, **changes)).to is None

    @pytest.mark.parametrize("index", [TEST, SHIP])
    @pytest.mark.parametrize("paused", [False, True])
    def test_harm_gives_all_back_even_when_it_waits_to_be_shipped(
        self, index: int, paused: bool
    ) -> None:
        step = next_step(at(index, DecidingVerdict("failed", "12% failed.", 10), paused=paused))
        assert step.to == "aborting"
        assert [change.weight for change in step.changes] == [0, 10_000]
        assert step.reason == "The A/B test ended. 12% failed."

    def test_it_ends_after_the_declared_requests_or_time(self) -> None:
        many = next_step(at(TEST, replace(SEEN, candidate_requests=100_000)))
        assert many.to == "aborting"
        assert many.reason.startswith("Not enough evidence after 100,000 of 100,000 planned.")
        week = 7 * 86_400
        assert next_step(at(TEST, SEEN, **later(week - 1))).to is None
        late = next_step(at(TEST, SEEN, **later(week)))
        assert late.to == "aborting"
        assert late.reason == "Not enough evidence in the time that was planned. Inconclusive."

    def test_what_cannot_be_judged_is_no_end_but_that_of_its_time(self) -> None:
        gap = DecidingVerdict("error", "The node is offline.", 200_000)
        assert next_step(at(TEST, gap)).to is None
        late = next_step(at(TEST, gap, **later(7 * 86_400)))
        assert late.to == "aborting"
        assert late.reason.startswith("The A/B test could not be judged in time.")

    @pytest.mark.parametrize("index", [TEST, SHIP])
    def test_nobody_skips_it_and_resuming_ships_nothing(self, index: int) -> None:
        assert skip(at(index)) is None
        assert go_on(at(index)) is None
        assert untested(PLAN.steps, index)

    def test_only_what_waits_to_be_shipped_is(self) -> None:
        assert go_on(at(TEST, DecidingVerdict("successful", "Better.")), Ship()) is None
        on = go_on(at(SHIP), Ship())
        assert on is not None
        assert (on.to, on.step) == ("shifting", 3)
        assert not untested(PLAN.steps, 3)
        assert promote(at(3)) is None

    def test_it_goes_from_half_to_all_by_its_steps_alone(self) -> None:
        seen, path = facts("starting", candidate=READY, plan=PLAN), []
        for _ in range(20):
            step = next_step(seen)
            if step.to is None and seen.step_index == SHIP:
                step = go_on(seen, Ship()) or step
            if step.to is None:
                seen = replace(seen, judged=DecidingVerdict("successful", "Better."))
                continue
            assert step.to in TRANSITIONS[seen.state]
            seen = follow(seen, step)
            path.append((seen.state, seen.candidate.weight))
            if step.to == "draining":
                break
        assert path == [
            ("shifting", 5_000),
            ("analysing", 5_000),
            ("waiting", 5_000),
            ("shifting", 10_000),
            ("draining", 10_000),
        ]

    def test_the_looks_of_the_test_decide_until_it_is_shipped(self) -> None:
        assert [judged_index(PLAN.steps, index) for index in range(-1, 4)] == [
            None,
            None,
            TEST,
            TEST,
            None,
        ]


class TestAlpha:
    def test_it_is_the_declared_one_and_no_more_than_that(self) -> None:
        found = terms_of(PLAN.steps, TEST, share=0.5, by_unit=False)
        step = PLAN.steps[TEST]
        assert isinstance(step, AbTest)
        assert found.alpha == step.alpha == 0.05
        parts = [found.alpha_of(metric) for metric in found.metrics]
        assert parts == [pytest.approx(0.0225), pytest.approx(0.0225)]
        assert math.fsum([*parts, found.ratio_alpha]) == pytest.approx(found.alpha)

    @pytest.mark.parametrize("guards", range(5))
    def test_every_split_adds_up(self, guards: int) -> None:
        others = tuple(JudgedMetric("error_rate", margin=n / 100) for n in range(guards))
        found = AnalysisTerms((EFFECT, *others), 0.5, 0.1)
        parts = [found.alpha_of(metric) for metric in found.metrics]
        assert math.fsum([*parts, found.ratio_alpha]) == pytest.approx(0.1)
        assert parts[0] == pytest.approx(0.1 * (1 - RATIO_PART) / (2 if guards else 1))

    def test_by_unit_units_are_what_is_said_to_be_counted(self) -> None:
        assert terms_of(PLAN.steps, TEST, share=0.5, by_unit=True).counted == "units"


def judged(
    candidate: tuple[int, int], stable: tuple[int, int], *, slow: int = 0
) -> AnalysisVerdict:
    """Judge (requests, errors) of both revisions; so many of the candidate's are slow."""
    late = {"250": candidate[0] - slow, "inf": slow}
    new = window(count=candidate[0], errors=candidate[1], latency=late)
    old = window("old", *stable, latency={"250": stable[0], "inf": 0})
    since = NOON - timedelta(minutes=1)
    measured = StepMeasurements("new", "old", [new], [old], since, NOON, node_alive=True)
    return judge(AnalysisTerms((EFFECT, GUARD), 0.5, 0.05), measured)


class TestWords:
    def test_an_effect_is_told_with_its_lower_bound(self) -> None:
        found = judged((20_000, 200), (20_000, 1_000))
        assert found.outcome == "successful"
        assert found.findings[0].interval.high < -0.01
        assert "That is better by at least 3" in found.sentence
        assert "; 1 point sought." in found.sentence
        kept = keep(found)
        assert [finding.get("sought") for finding in kept["findings"]] == [True, False]
        assert judged_by(kept) == DecidingVerdict("successful", found.sentence, 20_000)

    def test_less_than_declared_and_harm_are_told_apart(self) -> None:
        little = judged((50_000, 2_450), (50_000, 2_500))
        assert little.outcome == "failed"
        assert "It is better by at most" in little.sentence
        harm = judged((20_000, 1_600), (20_000, 1_000))
        assert harm.outcome == "failed"
        assert "That is worse by at least" in harm.sentence

    def test_what_is_between_is_not_settled(self) -> None:
        found = judged((500, 10), (500, 12))
        assert found.outcome == "inconclusive"
        assert "more requests would do at this rate" in found.sentence

    def test_a_guard_that_is_broken_ends_it_whatever_the_effect(self) -> None:
        found = judged((20_000, 200), (20_000, 1_000), slow=3_000)
        assert found.outcome == "failed"
        assert found.sentence.startswith("15% of 20,000 requests took longer than 250 ms")

    def test_a_guard_that_is_not_settled_holds_no_effect_back(self) -> None:
        found = judged((2_000, 5), (2_000, 160), slow=90)
        assert found.findings[1].score.outcome == "inconclusive"
        assert found.outcome == "successful"


class TestSimulation:
    """The functions that the reconciler calls, seeded; ``make prove`` does more of it."""

    def test_equal_revisions_hardly_ever_show_an_effect(self) -> None:
        found = run("equal", 100)
        assert found["shown"] <= ALPHA
        assert found["ends"]["failed"] >= 85  # and soon it is shown that there is too little

    def test_nor_does_one_just_short_of_the_minimum_more_often_than_declared(self) -> None:
        runs = 40
        assert run("at the edge", runs)["shown"] <= ALPHA + 3 * math.sqrt(ALPHA / runs)

    def test_twice_the_minimum_is_found(self) -> None:
        found = run("twice", 30)
        assert found["shown"] >= 0.9
        assert found["median"] <= 3 * found["fixed_size"]

    def test_a_run_ends_once(self) -> None:
        chance = np.random.default_rng(3)
        end, count = ab_test(
            CASES["twice"], chance, split=simulation.rotated, window=simulation.window
        )
        assert end == "successful"
        assert count > 0
        assert Counter(metric.sought for metric in terms().metrics) == {True: 1, False: 1}


def run(name: str, runs: int) -> dict[str, Any]:
    """Return how simulated tests of one kind end."""
    return effects(name, runs, 1, split=simulation.rotated, window=simulation.window)
