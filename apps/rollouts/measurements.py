"""Looking at what nodes measured of both revisions since an analysis began."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from apps.governance.plan import AbTest, Analysis, SetWeight, Step
from apps.monitoring.models import MetricWindow
from apps.monitoring.queries import by_revision, count_outcomes, count_outputs
from apps.monitoring.rules import WindowCounts
from apps.rollouts.analysis import (
    AnalysisTerms,
    JudgedMetric,
    KeptVerdict,
    StepMeasurements,
    Threshold,
    Window,
    judge,
    keep,
    step_alpha,
)
from apps.rollouts.analysis.evidence import TrialTally
from apps.rollouts.analysis.findings import Counted
from apps.rollouts.analysis.records import OutputTest, Own
from apps.rollouts.models import Look, Rollout
from apps.rollouts.prometheus import readings
from apps.rollouts.rules import RolloutSnapshot
from apps.rollouts.steps import analyses, metrics_of
from placet_verify.units import WHOLE


def due(last: Look, facts: RolloutSnapshot) -> bool:
    """Tell whether it is time for another look: a hundredth more time has passed.

    An analysis may wait for days, and each look reads everything since it began. A look that lies
    ahead was made before the clock was set back: nobody waits until that time has come again.
    """
    ago = facts.now - last.at
    return ago < timedelta(0) or ago * 100 >= facts.now - facts.entered_at


def judged(rollout: Rollout, facts: RolloutSnapshot) -> KeptVerdict:
    """Return what the present analysis says now.

    Windows that began before the step did are left out: in them another weight may have counted.
    With a split by unit a unit counts once, by its first request: what was drawn is what is judged.
    Those that came in a pause before the analysis count too, for they do not come again.
    """
    index, stable = rollout.judged_step, rollout.from_revision
    assert index is not None
    assert stable is not None  # where nothing was live the steps are skipped
    by_unit = "unit" in rollout.to_revision.serving
    since = facts.entered_at
    if by_unit:
        since = weight_applied(facts.steps, index, rollout.step_times, since)
    terms = terms_of(facts.steps, index, share=rollout.to_revision.weight / WHOLE, by_unit=by_unit)
    # By one query: the windows of both that a report brings meanwhile count both, or neither.
    windows = by_revision([rollout.to_revision.pk, stable.pk], since)
    measured = StepMeasurements(
        candidate_revision=rollout.to_revision.pk,
        stable_revision=stable.pk,
        candidate=[window_of(row, by_unit=by_unit) for row in windows[rollout.to_revision.pk]],
        stable=[window_of(row, by_unit=by_unit) for row in windows[stable.pk]],
        since=since,
        now=facts.now,
        node_alive=facts.alive,
        candidate_own=captured_since(rollout.to_revision.pk, terms, since),
        stable_own=captured_since(stable.pk, terms, since),
    )
    verdict, step_thresholds = judge(terms, measured), thresholds(facts.steps[index])
    # harm that is shown waits for nobody's answer
    if step_thresholds and verdict.outcome != "failed":
        step_readings = readings(step_thresholds, _names(rollout), since=since, now=facts.now)
        verdict = judge(terms, replace(measured, readings=step_readings))
    return keep(verdict)


def terms_of(steps: Sequence[Step], index: int, *, share: float, by_unit: bool) -> AnalysisTerms:
    """Return what the step at ``index`` asks for. An A/B test has the α that it declares."""
    step = steps[index]
    counted: Counted = "units" if by_unit else "requests"
    assert isinstance(step, Analysis | AbTest)
    metrics = tuple(
        part
        for metric in metrics_of(step)
        if isinstance(metric, JudgedMetric)
        for part in metric.parts
    )
    if isinstance(step, AbTest):
        return AnalysisTerms(metrics, share, step.alpha, counted=counted)
    alpha = step_alpha(analyses(steps))
    return AnalysisTerms(metrics, share, alpha, step.minimum_requests, counted=counted)


def thresholds(step: Step) -> list[Threshold]:
    """Return what a step asks of a Prometheus."""
    assert isinstance(step, Analysis | AbTest)
    return [metric for metric in metrics_of(step) if isinstance(metric, Threshold)]


def _names(rollout: Rollout) -> dict[str, str]:
    """Return what queries may name."""
    return {
        "endpoint": rollout.endpoint_id,
        "revision": rollout.to_revision.pk,
        "stable": rollout.from_revision_id or "",
    }


def weight_applied(
    steps: Sequence[Step], index: int, began: Mapping[str, str], entered_at: datetime
) -> datetime:
    """Return when the node was seen to apply the present weight: the step after it began then.

    ``began`` says when each step began, by its index.
    """
    weight = max(p for p in range(index) if isinstance(steps[p], SetWeight))
    after = (began.get(str(p)) for p in range(weight + 1, index))
    first = next((text for text in after if text), "")
    return datetime.fromisoformat(first) if first else entered_at


def captured_since(revision: str, terms: AnalysisTerms, since: datetime) -> dict[Own, TrialTally]:
    """Return what captured predictions tell of a revision since then, as far as ``terms`` ask.

    With a split by unit a unit counts once: by the first of its outcomes or predictions that came.
    """
    by_unit = terms.counted == "units"
    own_metrics = {own for metric in terms.metrics if (own := metric.own) is not None}
    return {own: _captured(revision, own, since, by_unit=by_unit) for own in own_metrics}


def _captured(revision: str, own: Own, since: datetime, *, by_unit: bool) -> TrialTally:
    if not isinstance(own, OutputTest):
        trials, bad = count_outcomes(
            revision, own.name, worst=own.worst, best=own.best, since=since, by_unit=by_unit
        )
        return TrialTally(trials, bad)
    trials, matching = count_outputs(
        revision, own.test, own.value, field=own.field, since=since, by_unit=by_unit
    )
    return TrialTally(trials, trials - matching if own.other else matching)


def window_of(row: MetricWindow, *, by_unit: bool) -> Window:
    """Return a stored window as an analysis takes it: every request, or each unit's first one."""
    counts = WindowCounts(row.status_2xx, row.status_4xx, row.status_5xx, latency=row.latency)
    if by_unit:
        counts = (
            WindowCounts(**row.first)
            if row.first
            else WindowCounts(latency=dict.fromkeys(row.latency, 0))
        )
    return Window(
        node=row.node,
        revision=row.revision,
        started_at=row.started_at,
        seconds=row.seconds,
        errors=counts.status_5xx,
        answers=counts.requests,
        latency=counts.latency,
        gap=row.error,
    )
