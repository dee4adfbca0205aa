"""Judging a candidate against stable while it serves: pure functions, without Django.

``judge`` takes what an analysis step asks for and the windows that nodes measured since it began,
and returns a verdict with its numbers. It may be asked after every window: the statistics stay
valid however often one looks. See ``docs/statistics.md``.
"""

from apps.rollouts.analysis.findings import AnalysisOutcome, AnalysisTerms, MetricFinding
from apps.rollouts.analysis.metrics import JudgedMetric, asked_of, metric_of
from apps.rollouts.analysis.readings import Threshold
from apps.rollouts.analysis.records import Window
from apps.rollouts.analysis.stored_verdict import DecidingVerdict, KeptVerdict, judged_by, keep
from apps.rollouts.analysis.verdicts import (
    ALPHA,
    AnalysisVerdict,
    StepMeasurements,
    judge,
    step_alpha,
)

__all__ = [
    "ALPHA",
    "AnalysisOutcome",
    "AnalysisTerms",
    "AnalysisVerdict",
    "DecidingVerdict",
    "JudgedMetric",
    "KeptVerdict",
    "MetricFinding",
    "StepMeasurements",
    "Threshold",
    "Window",
    "asked_of",
    "judge",
    "judged_by",
    "keep",
    "metric_of",
    "step_alpha",
]
