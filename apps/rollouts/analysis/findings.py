"""One metric of an analysis: the evidence both ways, bounds, and what is missing to settle it."""

import math
from dataclasses import dataclass
from typing import Literal

from apps.rollouts.analysis.evidence import Direction, TrialTally, against_bound, against_stable
from apps.rollouts.analysis.intervals import Interval, difference_bound, rate_bound
from apps.rollouts.analysis.metrics import JudgedMetric
from apps.rollouts.analysis.records import Sums

RATIO_PART = 0.1  # of a step's part of α
MOST = 2.0**20  # times as many requests: a forecast beyond is none

# What was assigned: each request, or a unit at its first. Outcomes and predictions are of requests.
Counted = Literal["requests", "units", "outcomes", "predictions"]
AnalysisOutcome = Literal["successful", "failed", "inconclusive", "error"]


@dataclass(frozen=True, slots=True)
class AnalysisTerms:
    """What an analysis step asks for, the planned share of the candidate, and its part of α.

    In an A/B test the first metric is the one that an effect is sought in; the others guard it.
    """

    metrics: tuple[JudgedMetric, ...]
    share: float
    alpha: float
    minimum_requests: int = 0
    counted: Counted = "requests"

    def alpha_of(self, metric: JudgedMetric) -> float:
        """The part of ``metric``: an equal one, or half for the effect and half for its guards."""
        whole, guards = self.alpha * (1 - RATIO_PART), len(self.metrics) - 1
        if not self.metrics[0].sought:
            return whole / len(self.metrics)
        if not guards:
            return whole
        return whole / 2 if metric.sought else whole / 2 / guards

    @property
    def ratio_alpha(self) -> float:
        """The part of the sample ratio."""
        return self.alpha * RATIO_PART


@dataclass(frozen=True, slots=True)
class Score:
    """The evidence of one metric both ways, as logarithms, and what follows."""

    outcome: AnalysisOutcome
    log_worse: float
    log_better: float


@dataclass(frozen=True, slots=True)
class MetricFinding:
    """A score with what was counted, the bounds, and a forecast.

    ``interval`` is of the difference, or of the candidate's rate where that is held to a bound.
    ``more_requests`` of the candidate would settle it if both go on as they did; ``None`` when no
    number would.
    """

    metric: JudgedMetric
    score: Score
    candidate: TrialTally
    stable: TrialTally | None
    interval: Interval
    log_needed: float
    more_requests: int | None
    per_second: float  # to the candidate, of what is counted
    counted: Counted = "requests"

    @property
    def more_seconds(self) -> float | None:
        """How long the requests that are missing take to come, at the candidate's own rate."""
        known = self.more_requests is not None and self.per_second
        return (self.more_requests or 0) / self.per_second if known else None


def score(metric: JudgedMetric, candidate: Sums, stable: Sums, terms: AnalysisTerms) -> Score:
    """Return the evidence of ``metric`` and its outcome."""
    needed = -math.log(terms.alpha_of(metric))
    worse = _log_evidence(metric, candidate, stable, terms, "worse")
    if worse >= needed:
        return Score("failed", worse, 0.0)
    better = (
        _log_evidence(metric, candidate, stable, terms, "better") if metric.proves_success else 0.0
    )
    proven = better >= needed or not metric.proves_success
    many = metric.trials(candidate) >= max(terms.minimum_requests, 1)
    enough = many and metric.seen(candidate, stable)
    return Score("successful" if enough and proven else "inconclusive", worse, better)


def explain(
    metric: JudgedMetric, candidate: Sums, stable: Sums, terms: AnalysisTerms, seconds: float
) -> MetricFinding:
    """Return the score of ``metric`` with bounds and a forecast, of what was counted in
    ``seconds``."""
    metric_score = score(metric, candidate, stable, terms)
    candidate_tally, stable_tally = metric.tallies(candidate, stable, "worse")
    more = (
        _more_requests(metric, candidate, stable, terms)
        if metric_score.outcome == "inconclusive"
        else 0
    )
    return MetricFinding(
        metric=metric,
        score=metric_score,
        candidate=candidate_tally,
        stable=stable_tally if metric.against_stable else None,
        interval=Interval(
            _bound(metric, candidate, stable, terms, "worse"),
            _bound(metric, candidate, stable, terms, "better"),
        ),
        log_needed=-math.log(terms.alpha_of(metric)),
        more_requests=more,
        per_second=candidate_tally.trials / seconds if seconds > 0 else 0.0,
        counted=metric.counted if terms.counted == "requests" else terms.counted,
    )


def _log_evidence(
    metric: JudgedMetric,
    candidate: Sums,
    stable: Sums,
    terms: AnalysisTerms,
    direction: Direction,
    times: float = 1.0,
) -> float:
    tallies = metric.tallies(candidate, stable, direction)
    candidate_tally, stable_tally = (tally.times(times) for tally in tallies)
    if metric.at_most is not None:
        return against_bound(candidate_tally, bound=metric.at_most, direction=direction)
    return against_stable(
        candidate_tally,
        stable_tally,
        share=terms.share,
        margin=metric.margin,
        direction=direction,
        common=metric.common,
    )


def _bound(
    metric: JudgedMetric, candidate: Sums, stable: Sums, terms: AnalysisTerms, direction: Direction
) -> float:
    candidate_tally, stable_tally = metric.tallies(candidate, stable, direction)
    alpha = terms.alpha_of(metric)
    if metric.at_most is not None:
        return rate_bound(candidate_tally, alpha=alpha, direction=direction)
    return difference_bound(
        candidate_tally,
        stable_tally,
        share=terms.share,
        alpha=alpha,
        direction=direction,
        common=metric.common,
    )


def _more_requests(
    metric: JudgedMetric, candidate: Sums, stable: Sums, terms: AnalysisTerms
) -> int | None:
    """Return how many more requests of the candidate settle it at the present rates."""
    trials = metric.trials(candidate)
    if not trials or not metric.seen(candidate, stable):
        return None
    ways = [_times(metric, candidate, stable, terms, "worse")]
    least = max(terms.minimum_requests / trials, 1.0)
    if not metric.proves_success:
        ways.append(least)
    elif (better := _times(metric, candidate, stable, terms, "better")) is not None:
        ways.append(max(better, least))
    known = [way for way in ways if way is not None]
    return math.ceil(round((min(known) - 1) * trials, 6)) if known else None


def _times(
    metric: JudgedMetric, candidate: Sums, stable: Sums, terms: AnalysisTerms, direction: Direction
) -> float | None:
    """Return how many times as many requests give evidence enough, or ``None``.

    The evidence is convex in the factor and 1 at none, so it crosses what is needed once.
    """
    needed = -math.log(terms.alpha_of(metric))

    def enough(times: float) -> bool:
        return _log_evidence(metric, candidate, stable, terms, direction, times) >= needed

    high = 1.0
    while not enough(high):
        high *= 2
        if high > MOST:
            return None
    low = high / 2
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high > 1 else 1.0
