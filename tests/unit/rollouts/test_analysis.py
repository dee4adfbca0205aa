"""Judging a candidate: what is shown, what is not, and what cannot be judged at all."""

import itertools
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from apps.rollouts.analysis import (
    AnalysisTerms,
    AnalysisVerdict,
    JudgedMetric,
    StepMeasurements,
    Window,
    judge,
)
from apps.rollouts.analysis.evidence import (
    Direction,
    TrialTally,
    against_bound,
    against_stable,
    bound_bets,
    pair_bets,
)
from apps.rollouts.analysis.findings import score
from apps.rollouts.analysis.intervals import difference_bound, rate_bound
from apps.rollouts.analysis.ratio import log_evidence
from apps.rollouts.analysis.records import Scale, Sums, add_up
from proofs import analysis as simulation
from tests.support.documents import measured

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ERRORS = JudgedMetric("error_rate", margin=0.01)
DIRECTIONS: tuple[Direction, ...] = ("worse", "better")
RATES = [0.0, 0.0001, 0.003, 0.02, 0.1, 0.35, 0.7, 0.99, 1.0]


def window(revision: str = "new", count: int = 100, errors: int = 0, **changes: Any) -> Window:
    """Return a window of ten seconds that ended just now."""
    base = Window(
        "nod_1",
        revision,
        NOON - timedelta(seconds=10),
        10.0,
        errors,
        count,
        {"100": count, "250": 0, "inf": 0},
    )
    return replace(base, **changes)


def verdict(
    new: list[Window] | None = None,
    old: list[Window] | None = None,
    *,
    metric: JudgedMetric = ERRORS,
    share: float = 0.5,
    minimum: int = 0,
    **changes: Any,
) -> AnalysisVerdict:
    """Judge one metric."""
    terms = AnalysisTerms((metric,), share, 0.01, minimum)
    base = StepMeasurements(
        "new", "old", new or [], old or [], NOON - timedelta(minutes=1), NOON, True
    )
    return judge(terms, replace(base, **changes))


class TestEvidence:
    @pytest.mark.parametrize("direction", DIRECTIONS)
    @pytest.mark.parametrize("margin", [0.0, 0.0005, 0.02, -0.01, 0.3])
    @pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 0.9])
    @pytest.mark.parametrize("common", [False, True])
    def test_no_bet_wins_on_average_while_the_hypothesis_holds(
        self, share: float, margin: float, direction: Direction, common: bool
    ) -> None:
        """The expected factor of a trial is linear in both rates, so its corners suffice."""
        sign = 1 if direction == "worse" else -1
        pairs = [(s, c) for s, c in itertools.product(RATES, RATES) if sign * (c - s - margin) <= 0]
        pairs += [(s, s + margin) for s in RATES if 0 <= s + margin <= 1]
        bets = pair_bets(share, margin, direction, common=common)
        for bet, (old, new) in itertools.product(bets, pairs):
            mine = new * math.exp(bet.candidate_bad) + (1 - new) * math.exp(bet.candidate_good)
            stable = old * math.exp(bet.stable_bad) + (1 - old) * math.exp(bet.stable_good)
            assert share * mine + (1 - share) * stable <= 1 + 1e-7

    @pytest.mark.parametrize("direction", DIRECTIONS)
    @pytest.mark.parametrize("bound", [0.0005, 0.05, 0.5])
    def test_the_same_for_one_rate(self, bound: float, direction: Direction) -> None:
        sign = 1 if direction == "worse" else -1
        for bet, rate in itertools.product(bound_bets(bound, direction), [*RATES, bound]):
            if sign * (rate - bound) <= 0:
                factor = rate * math.exp(bet.candidate_bad) + (1 - rate) * math.exp(
                    bet.candidate_good
                )
                assert factor <= 1 + 1e-9

    def test_without_trials_there_is_no_evidence(self) -> None:
        for way in DIRECTIONS:
            nothing = against_stable(
                TrialTally(), TrialTally(), share=0.05, margin=0.01, direction=way
            )
            assert nothing == pytest.approx(0)
            assert against_bound(TrialTally(), bound=0.05, direction=way) == pytest.approx(0)

    def test_bounds_hold_the_estimate_and_agree_with_the_test(self) -> None:
        new, old = TrialTally(2000, 100), TrialTally(2000, 40)
        low, high = (
            difference_bound(new, old, share=0.5, alpha=0.01, direction=way) for way in DIRECTIONS
        )
        assert 0 < low < 0.03 < high < 0.06
        at = {"share": 0.5, "direction": "worse"}
        assert against_stable(new, old, margin=low * 0.98, **at) >= math.log(100)  # type: ignore[arg-type]
        assert against_stable(new, old, margin=low * 1.02, **at) < math.log(100)  # type: ignore[arg-type]

    def test_bounds_of_a_rate_hold_it(self) -> None:
        few, many = TrialTally(100, 5), TrialTally(10_000, 500)
        for tally in (few, many):
            low, high = (rate_bound(tally, alpha=0.01, direction=way) for way in DIRECTIONS)
            assert 0 < low < 0.05 < high < 0.3
        assert rate_bound(many, alpha=0.01, direction="better") < rate_bound(
            few, alpha=0.01, direction="better"
        )

    def test_nothing_seen_bounds_nothing(self) -> None:
        for way, end in (("worse", -1.0), ("better", 1.0)):
            found = difference_bound(
                TrialTally(), TrialTally(), share=0.5, alpha=0.01, direction=way
            )  # type: ignore[arg-type]
            assert found == end

    def test_an_even_split_is_believed_and_another_is_not(self) -> None:
        assert log_evidence(500, 9500, share=0.05) < 0
        assert log_evidence(700, 9300, share=0.05) > math.log(1000)
        assert log_evidence(0, 1000, share=0.05) > math.log(1000)


class TestVerdicts:
    def test_many_more_errors_are_a_failure(self) -> None:
        found = verdict([window(count=500, errors=60)], [window("old", 500, 5)])
        assert found.outcome == "failed"
        assert found.sentence.startswith("12% of 500 requests failed, 1% of 500 on stable. That")
        assert "points; 1 point allowed." in found.sentence

    def test_equal_revisions_succeed_when_the_margin_is_shown_to_hold(self) -> None:
        few = verdict([window(count=200, errors=1)], [window("old", 200, 1)])
        many = verdict([window(count=5000, errors=25)], [window("old", 5000, 25)])
        assert (few.outcome, many.outcome) == ("inconclusive", "successful")
        assert many.findings[0].interval.high < 0.01 <= few.findings[0].interval.high

    def test_a_forecast_comes_true(self) -> None:
        found = verdict([window(count=200, errors=1)], [window("old", 200, 1)])
        more = found.findings[0].more_requests
        assert more is not None
        assert f"about {more:,} more requests would do at this rate" in found.sentence
        times = (200 + more) / 200
        new, old = (Sums(round(200 * times), round(1 * times)) for _ in range(2))
        tallies = ERRORS.tallies(new, old, "better")
        found_then = against_stable(*tallies, share=0.5, margin=0.01, direction="better")
        assert found_then == pytest.approx(found.findings[0].log_needed, abs=0.8)

    def test_a_forecast_takes_the_rate_of_the_time_that_was_counted_and_names_it(self) -> None:
        found = verdict([window(count=50)], [window("old", 50)])  # of 10 s, and the last came late
        (finding,) = found.findings
        assert finding.per_second == 5
        assert finding.more_requests is not None
        assert finding.more_seconds == finding.more_requests / 5
        assert "at this rate (5/s of the new revision: " in found.sentence

    def test_a_candidate_at_the_limit_is_never_settled(self) -> None:
        found = verdict([window(count=1000, errors=20)], [window("old", 1000, 10)])
        assert found.outcome == "inconclusive"
        assert found.findings[0].more_requests is None
        assert "would not settle it" in found.sentence

    def test_without_a_margin_success_is_the_minimum_without_evidence(self) -> None:
        metric = JudgedMetric("error_rate")
        new, old = [window(count=300, errors=3)], [window("old", 300, 3)]
        few = verdict(new, old, metric=metric, minimum=1000)
        assert few.outcome == "inconclusive"
        assert "about 700 more requests" in few.sentence
        enough = verdict(new, old, metric=metric, minimum=300)
        assert enough.outcome == "successful"
        assert "Nothing shows it to be worse; it may be by up to" in enough.sentence

    def test_the_minimum_holds_for_proofs_too(self) -> None:
        new, old = [window(count=5000, errors=25)], [window("old", 5000, 25)]
        assert verdict(new, old, minimum=5001).outcome == "inconclusive"

    def test_an_absolute_bound_needs_no_stable(self) -> None:
        metric = JudgedMetric("error_rate", at_most=0.02)
        good = verdict([window(count=3000, errors=15)], metric=metric, share=1.0)
        bad = verdict([window(count=300, errors=30)], metric=metric, share=1.0)
        assert (good.outcome, bad.outcome) == ("successful", "failed")
        assert "The true share is at most" in good.sentence

    def test_a_split_that_is_off_stops_it(self) -> None:
        found = verdict([window(count=1000)], [window("old", 2000)])
        assert found.outcome == "failed"
        assert found.sentence.startswith("33.3% of 3,000 requests went to the new revision, 50%")

    def test_nothing_yet_is_inconclusive(self) -> None:
        found = verdict()
        assert (found.outcome, found.sentence) == ("inconclusive", "No requests were counted yet")

    def test_a_handful_of_requests_is_too_early_to_tell(self) -> None:
        found = verdict([window(count=1)], [window("old", 1)])
        assert found.sentence == "0% of 1 request failed, 0% of 1 on stable. Too early to tell."
        later = verdict([window(count=20)], [window("old", 20)])
        assert "more requests would do at this rate" in later.sentence

    def test_what_holds_for_both_metrics_is_said_once(self) -> None:
        terms = AnalysisTerms((ERRORS, JudgedMetric("latency", 0.01, milliseconds=250)), 0.5, 0.01)
        measured = StepMeasurements(
            "new", "old", [], [window("old", 10)], NOON - timedelta(minutes=1), NOON, True
        )
        assert judge(terms, measured).sentence == "No request of the new revision was counted yet."

    def test_the_worst_metric_decides(self) -> None:
        slow = {"100": 800, "250": 0, "inf": 4200}
        terms = AnalysisTerms((ERRORS, JudgedMetric("latency", 0.01, milliseconds=250)), 0.5, 0.01)
        measured = StepMeasurements(
            "new",
            "old",
            [window(count=5000, errors=25, latency=slow)],
            [window("old", 5000, 25)],
            NOON - timedelta(minutes=1),
            NOON,
            True,
        )
        found = judge(terms, measured)
        assert found.outcome == "failed"
        assert [f.score.outcome for f in found.findings] == ["successful", "failed"]
        assert "took longer than 250 ms" in found.sentence
        assert "failed," not in found.sentence


FRAUD = JudgedMetric("outcome", margin=0.02, scale=Scale("fraud"))


def outcomes(
    new: tuple[int, int], old: tuple[int, int], metric: JudgedMetric = FRAUD, **changes: Any
) -> AnalysisVerdict:
    """Judge (outcomes, bad) of both revisions, whose requests show nothing."""
    assert metric.scale is not None
    return verdict(
        [window(count=5000)],
        [window("old", 5000)],
        metric=metric,
        candidate_own={metric.scale: TrialTally(*new)},
        stable_own={metric.scale: TrialTally(*old)},
        **changes,
    )


class TestOutcomes:
    def test_what_clients_report_decides(self) -> None:
        worse = outcomes((500, 100), (500, 25))
        assert worse.outcome == "failed"
        assert worse.sentence.startswith("20% of 500 outcomes had fraud, 5% of 500 on stable.")
        assert outcomes((5000, 250), (5000, 250)).outcome == "successful"

    def test_none_yet_is_no_success_however_many_requests_there_were(self) -> None:
        for metric in (FRAUD, replace(FRAUD, margin=0.0), replace(FRAUD, at_most=0.3)):
            found = outcomes((0, 0), (0, 0), metric, minimum=1)
            assert found.outcome == "inconclusive"
            assert found.findings[0].more_requests is None

    def test_the_minimum_is_of_outcomes(self) -> None:
        few = outcomes((60, 3), (60, 3), replace(FRAUD, margin=0.0), minimum=100)
        assert few.outcome == "inconclusive"
        assert "about 40 more outcomes would do" in few.sentence

    def test_late_outcomes_say_nothing_about_the_split(self) -> None:
        """1,000 of stable's predictions are known, and 100 of the candidate's: that may be."""
        found = outcomes((100, 5), (1000, 50))
        assert found.outcome == "inconclusive"
        assert found.log_ratio < 1

    def test_what_most_should_have_is_judged_as_well(self) -> None:
        sold = JudgedMetric("outcome", margin=0.05, scale=Scale("sale", worst=0, best=1))
        found = outcomes((2000, 1960), (2000, 1700), sold)
        assert found.outcome == "failed"
        assert "98% of 2,000 outcomes had no sale" in found.sentence
        found = outcomes((6000, 5100), (6000, 5100), sold)
        assert found.outcome == "successful"

    @pytest.mark.parametrize(("worse", "at_most", "at_least"), [(0.0, 6, 0), (0.25, 200, 190)])
    def test_equal_revisions_are_hardly_ever_stopped_and_worse_ones_are(
        self, worse: float, at_most: int, at_least: int
    ) -> None:
        """200 rollouts over values on a scale, reported late, with a look after each ten."""
        scale, chance = Scale("sale", worst=0, best=80), Random(20261125)
        sales = JudgedMetric("outcome", scale=scale)
        terms, stopped = AnalysisTerms((sales,), 0.3, 0.01), 0
        for _ in range(200):
            groups = [[0, 0], [0, 0]]  # the candidate's trials and bad ones, and stable's
            for number in range(1, 1501):
                new = chance.random() < 0.3
                value = min(80.0, chance.expovariate(1 / 40)) / 80  # most in the middle, some at 80
                bad = chance.random() < 1 - max(0.0, value - worse * new)
                groups[not new][0] += 1
                groups[not new][1] += bad
                if number % 10 == 0:
                    mine, stable = (Sums(own={scale: TrialTally(*group)}) for group in groups)
                    if score(sales, mine, stable, terms).outcome == "failed":
                        stopped += 1
                        break
        assert at_least <= stopped <= at_most

    def test_another_scale_of_the_name_is_another_metric(self) -> None:
        metric = JudgedMetric("outcome", margin=0.02, scale=Scale("fraud", worst=2))
        found = verdict(
            [window(count=5000)],
            [window("old", 5000)],
            metric=metric,
            candidate_own={Scale("fraud"): TrialTally(500, 500)},
            stable_own={Scale("fraud"): TrialTally(500, 0)},
        )
        assert found.outcome == "inconclusive"


GOOD = {"new": [window(count=5000, errors=25)], "old": [window("old", 5000, 25)]}


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"gap": "17 requests are not in these counts"}, "17 requests"),
            ({"errors": -1}, "negative or no number"),
            ({"errors": math.nan}, "negative or no number"),
            ({"latency": {"100": 5000, "250": math.inf, "inf": 0}}, "negative or no number"),
            ({"latency": {"100": 5000, "many": 0}}, "no upper bound"),
            ({"latency": {"100": 5000, "nan": 0}}, "no upper bound"),
            ({"latency": {}}, "more answers than requests"),
            ({"seconds": math.nan}, "no length"),
            ({"seconds": 0.0}, "no length"),
            ({"revision": "rev_of_another_project"}, "another revision"),
            ({"started_at": NOON + timedelta(hours=1)}, "in the future"),
            ({"latency": {"90": 5000}}, "other latency buckets"),
        ],
    )
    @pytest.mark.parametrize("side", ["new", "old"])
    def test_is_an_error_and_never_a_success(
        self, side: str, changes: dict[str, Any], words: str
    ) -> None:
        assert verdict(GOOD["new"], GOOD["old"]).outcome == "successful"
        rows = {**GOOD}
        earlier = NOON - timedelta(seconds=20)
        spoilt = replace(rows[side][0], **{"started_at": earlier, **changes})
        rows[side] = [*rows[side], spoilt]
        found = verdict(rows["new"], rows["old"])
        assert found.outcome == "error"
        assert words in found.sentence

    def test_a_window_told_twice(self) -> None:
        found = verdict(GOOD["new"] * 2, GOOD["old"] * 2)
        assert found.outcome == "error"
        assert "overlap" in found.sentence

    def test_figures_that_are_old(self) -> None:
        found = verdict(**GOOD, now=NOON + timedelta(minutes=5))  # type: ignore[arg-type]
        assert found.outcome == "error"
        assert found.sentence == "Nothing was counted since 12:00:00 UTC"

    def test_a_silent_node(self) -> None:
        found = verdict(**GOOD, node_alive=False)  # type: ignore[arg-type]
        assert found.outcome == "error"
        assert "silent" in found.sentence

    def test_what_is_shown_counts_even_when_the_node_is_silent_since(self) -> None:
        bad = [window(count=500, errors=60)]
        assert verdict(bad, [window("old", 500, 5)], node_alive=False).outcome == "failed"


class TestLatency:
    SUMS = add_up([window(count=10, latency={"100": 6, "250": 3, "inf": 1})])

    def test_at_an_edge_nothing_is_unknown(self) -> None:
        assert self.SUMS.certainly_slower(100) == self.SUMS.possibly_slower(100) == 4
        assert self.SUMS.certainly_slower(250) == self.SUMS.possibly_slower(250) == 1

    def test_within_a_bucket_a_request_counts_for_the_side_it_does_not_help(self) -> None:
        metric = JudgedMetric("latency", milliseconds=200)
        (new, old), (good, stable) = (
            metric.tallies(self.SUMS, self.SUMS, way) for way in DIRECTIONS
        )
        assert (new.bad, old.bad) == (1, 4)  # shown worse only by what is surely slower
        assert (good.bad, stable.bad) == (4, 1)

    def test_a_quantile_is_judged_as_a_rate(self) -> None:
        metric = measured({"metric": "latency", "quantile": 0.95, "at_most_ms": 250})
        assert (metric.at_most, metric.title) == (0.05, "p95 latency at most 250 ms")
        slow = {"100": 1800, "250": 0, "inf": 200}
        found = verdict([window(count=2000, latency=slow)], metric=metric, share=1.0)
        assert found.outcome == "failed"
        assert found.sentence.startswith("10% of 2,000 requests took longer than 250 ms.")


class TestSimulation:
    """A slice of ``proofs/analysis.py``; the whole is run by ``make prove``."""

    @pytest.mark.parametrize("name", sorted(simulation.SCENARIOS))
    def test_equal_revisions_are_hardly_ever_stopped(self, name: str) -> None:
        found = simulation.false_alarms(name, 100, seed=1)
        assert found["stopped"]["rate"] <= 0.01 + 3 * 0.01  # three Monte-Carlo errors

    def test_asking_a_z_test_again_and_again_stops_many(self) -> None:
        assert simulation.false_alarms("steady", 100, seed=1)["stopped_by_peeking"]["rate"] > 0.05

    def test_twice_the_errors_stop_it_soon(self) -> None:
        found = simulation.power(0.01, 0.05, 0.01, 60, seed=1)
        assert found["ratio"] <= 1.5
        assert found["never_within_6_times"] < 0.05
