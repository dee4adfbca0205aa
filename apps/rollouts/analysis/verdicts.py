"""What an analysis says: ``successful``, ``failed``, ``inconclusive`` or ``error``.

- ``error``: what was measured cannot be judged: a gap, a count that is none, windows of another
  revision or from the future, a silent node, figures that are old. Never a success.
- ``failed``: for one metric it is shown that the candidate is worse than allowed; or the split
  between the revisions is not what the plan says.
- ``successful``: for every metric, after ``minimum_requests`` of the candidate, it is shown that
  the candidate is *not* worse than allowed: the upper bound of the confidence sequence lies below
  the margin. A margin of 0 cannot be shown, not even for two equal revisions: there, success
  means that after ``minimum_requests`` nothing shows it to be worse, and the sentence says by how
  much it may be.
- ``inconclusive``: anything else.

**Spending.** A rollout has one α (1%): the probability that a candidate which is no worse than
allowed is stopped by any metric in any step. Every analysis step of the plan gets an equal part.
A tenth of it is for the sample ratio, the rest is divided evenly among its metrics. Within its
part each test may be looked at as often as one likes, and a union bound adds the parts up. The
probability that a metric with a margin or a bound passes a candidate that is worse than allowed
is at most that metric's part, too.

What a Prometheus says has no part of α (``readings.py``): it fails, succeeds or is awaited beside
the metrics, and where it cannot be read the verdict is an ``error``.

**A/B tests** have the α that they declare: a tenth for the sample ratio, half of the rest for the
effect (all of it where nothing guards the test), the other half for the guardrails, evenly. It
bounds the probability that anything is said that is not so: an effect of the declared size, less
than that, or harm to a guardrail. ``successful`` says that the effect is shown, ``failed`` that it
is shown to be smaller than declared, or that a guardrail is broken. A guardrail need not be shown
to hold; what is still unknown of it is said. See ``docs/statistics.md``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apps.rollouts.analysis import ratio, sentences
from apps.rollouts.analysis.evidence import TrialTally
from apps.rollouts.analysis.findings import AnalysisOutcome, AnalysisTerms, MetricFinding, explain
from apps.rollouts.analysis.metrics import JudgedMetric
from apps.rollouts.analysis.readings import Reading
from apps.rollouts.analysis.records import Own, Sums, Window, add_up, fault

ALPHA = 0.01  # per rollout
FRESH = timedelta(seconds=120)  # success rests on figures that are not older


@dataclass(frozen=True, slots=True)
class StepMeasurements:
    """What is known of both revisions since the step began.

    Outcomes come late, and only of some predictions, and outputs only of those that are captured:
    they are counted on their own, and the windows alone tell how requests were split.
    """

    candidate_revision: str
    stable_revision: str
    candidate: Sequence[Window]
    stable: Sequence[Window]
    since: datetime
    now: datetime
    node_alive: bool
    candidate_own: Mapping[Own, TrialTally] = field(default_factory=dict)
    stable_own: Mapping[Own, TrialTally] = field(default_factory=dict)
    readings: Sequence[Reading] = ()

    def seconds_of(self, metric: JudgedMetric) -> float:
        """Return for how long what ``metric`` counts was counted: windows come late, and one
        without a request never comes."""
        windows = (*self.candidate, *self.stable)
        if metric.own is not None or not windows:
            return (self.now - self.since).total_seconds()
        first = min(window.started_at for window in windows)
        return (max(window.ended_at for window in windows) - first).total_seconds()


@dataclass(frozen=True, slots=True)
class AnalysisVerdict:
    """What an analysis says now, and all that it rests on."""

    outcome: AnalysisOutcome
    sentence: str
    candidate_requests: int = 0
    stable_requests: int = 0
    share: float = 0.0  # planned
    log_ratio: float = 0.0  # evidence against the planned share
    findings: tuple[MetricFinding, ...] = ()
    readings: tuple[Reading, ...] = ()


def step_alpha(analyses: int) -> float:
    """Return the part of α that each of so many analysis steps may spend."""
    return ALPHA / analyses


def judge(terms: AnalysisTerms, measured: StepMeasurements) -> AnalysisVerdict:
    """Return the verdict on what was measured."""
    broken = fault(measured.candidate, measured.candidate_revision, now=measured.now) or fault(
        measured.stable, measured.stable_revision, now=measured.now
    )
    if broken:
        return AnalysisVerdict("error", broken, share=terms.share)
    candidate = add_up(measured.candidate, measured.candidate_own)
    stable = add_up(measured.stable, measured.stable_own)
    findings = tuple(
        explain(metric, candidate, stable, terms, measured.seconds_of(metric))
        for metric in terms.metrics
    )
    outcome, sentence = _together(findings, terms, candidate, stable, measured)
    off = ratio.log_evidence(candidate.requests, stable.requests, share=terms.share)
    return AnalysisVerdict(
        outcome,
        sentence,
        candidate.requests,
        stable.requests,
        terms.share,
        off,
        findings,
        tuple(measured.readings),
    )


def split_is_off(candidate: Sums, stable: Sums, terms: AnalysisTerms) -> bool:
    """Tell whether it is shown that the split is another one than planned."""
    evidence = ratio.log_evidence(candidate.requests, stable.requests, share=terms.share)
    return evidence >= -math.log(terms.ratio_alpha)


def _together(
    findings: Sequence[MetricFinding],
    terms: AnalysisTerms,
    candidate: Sums,
    stable: Sums,
    measured: StepMeasurements,
) -> tuple[AnalysisOutcome, str]:
    """Return the worst of what was found; what is shown counts before what is unknown."""
    if split_is_off(candidate, stable, terms):
        return "failed", sentences.split(
            candidate.requests, stable.requests, terms.share, terms.counted
        )
    failed = [f for f in findings if f.score.outcome == "failed"]
    broken = [r.sentence for r in measured.readings if r.outcome == "failed"]
    if failed or broken:
        return "failed", sentences.of(failed, broken)
    if not measured.node_alive:
        return "error", "The node is silent: what the revisions answer is not known"
    ended = [sums.ended_at for sums in (candidate, stable) if sums.ended_at is not None]
    if not ended:
        return "inconclusive", "No requests were counted yet"
    if measured.now - max(ended) > FRESH:
        return "error", f"Nothing was counted since {max(ended):%H:%M:%S} UTC"
    if unread := [r.sentence for r in measured.readings if r.outcome == "error"]:
        return "error", sentences.of([], unread)
    open_ = [f for f in findings if f.score.outcome == "inconclusive"]
    waiting = [r.sentence for r in measured.readings if r.outcome == "inconclusive"]
    if findings and findings[0].metric.sought:  # guards are watched as long as it lasts
        open_, waiting = [f for f in open_ if f.metric.sought], []
    if not findings and candidate.requests < max(terms.minimum_requests, 1):
        waiting.append(sentences.few(candidate.requests, terms.minimum_requests))
    if open_ or waiting:
        return "inconclusive", sentences.of(open_, waiting)
    return "successful", sentences.of(findings, [r.sentence for r in measured.readings])
