"""A verdict as it is kept, logged and sent: plain numbers under names that last."""

import math
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from apps.rollouts.analysis import sentences
from apps.rollouts.analysis.findings import AnalysisOutcome, MetricFinding
from apps.rollouts.analysis.readings import Reading
from apps.rollouts.analysis.verdicts import AnalysisVerdict


class KeptFinding(TypedDict):
    """One metric; ``new`` is the candidate in it. ``low`` and ``high`` bound the difference to
    stable, or the candidate's rate where that is held to a bound; evidence is in powers of ten, and
    decides at ``needed``.
    ``sought``: an A/B test seeks this effect; looks from before there were any do not say it."""

    metric: str
    outcome: str
    sentence: str
    new_requests: int
    new_bad: int
    stable_requests: int | None
    stable_bad: int | None
    low: float
    high: float
    limit: float
    evidence_worse: float
    evidence_better: float
    needed: float
    more_requests: int | None
    more_seconds: int | None
    sought: NotRequired[bool]


class KeptReading(TypedDict):
    """What a Prometheus said last, ``None`` for nothing, and what follows."""

    query: str
    outcome: str
    sentence: str
    value: float | None
    side: str  # at_most, at_least
    limit: float
    for_seconds: int


class KeptVerdict(TypedDict):
    """All that a verdict rests on; ``new`` is the candidate in it. Looks from before there were any
    have no ``readings``."""

    outcome: AnalysisOutcome
    sentence: str
    new_requests: int
    stable_requests: int
    planned_share: float
    evidence_of_another_share: float
    findings: list[KeptFinding]
    readings: NotRequired[list[KeptReading]]


@dataclass(frozen=True, slots=True)
class DecidingVerdict:
    """What a rollout's next step is decided by: what its analysis said at the last look."""

    outcome: AnalysisOutcome
    sentence: str
    candidate_requests: int = 0  # or units of the candidate


def judged_by(verdict: KeptVerdict) -> DecidingVerdict:
    """Return what decides of ``verdict``."""
    return DecidingVerdict(verdict["outcome"], verdict["sentence"], verdict["new_requests"])


def keep(verdict: AnalysisVerdict) -> KeptVerdict:
    """Return ``verdict`` as JSON values."""
    return KeptVerdict(
        outcome=verdict.outcome,
        sentence=verdict.sentence,
        new_requests=verdict.candidate_requests,
        stable_requests=verdict.stable_requests,
        planned_share=verdict.share,
        evidence_of_another_share=_tens(verdict.log_ratio),
        findings=[_keep(finding) for finding in verdict.findings],
        readings=[_keep_reading(reading) for reading in verdict.readings],
    )


def _keep_reading(reading: Reading) -> KeptReading:
    threshold, value = reading.threshold, reading.value
    return KeptReading(
        query=threshold.query,
        outcome=reading.outcome,
        sentence=reading.sentence,
        value=value if value is not None and math.isfinite(value) else None,
        side=threshold.side,
        limit=threshold.bound,
        for_seconds=threshold.for_seconds,
    )


def _keep(finding: MetricFinding) -> KeptFinding:
    stable, seconds = finding.stable, finding.more_seconds
    return KeptFinding(
        metric=finding.metric.title,
        outcome=finding.score.outcome,
        sentence=sentences.sentence(finding),
        new_requests=round(finding.candidate.trials),
        new_bad=round(finding.candidate.bad),
        stable_requests=None if stable is None else round(stable.trials),
        stable_bad=None if stable is None else round(stable.bad),
        low=round(finding.interval.low, 6),
        high=round(finding.interval.high, 6),
        limit=finding.metric.limit,
        evidence_worse=_tens(finding.score.log_worse),
        evidence_better=_tens(finding.score.log_better),
        needed=_tens(finding.log_needed),
        more_requests=finding.more_requests,
        more_seconds=None if seconds is None else math.ceil(seconds),
        sought=finding.metric.sought,
    )


def _tens(log: float) -> float:
    return round(log / math.log(10), 3)
