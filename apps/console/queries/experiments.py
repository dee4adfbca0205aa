"""An A/B test as the page of its rollout shows it: declared, shown so far, still unknown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.console.queries.analyses import AnalysisView, MetricFindingRow
from apps.governance.plan import AbTest, SetWeight
from apps.rollouts.analysis import asked_of
from apps.rollouts.analysis.findings import RATIO_PART
from apps.rollouts.analysis.sentences import percent
from apps.rollouts.models import Rollout
from apps.rollouts.queries import may_ship
from apps.rollouts.steps import effect_of
from placet.kernel.actor import Actor
from placet.kernel.durations import spell
from placet_verify.units import WHOLE

SETTLED = "Nothing"


@dataclass(slots=True)
class ExperimentView:
    """One A/B test. ``state`` is what its badge says, ``unknown`` a sentence for each open end."""

    number: int  # of the step, from 1
    state: str
    says: str
    declared: list[tuple[str, str]]
    ratio: str
    metrics: list[MetricFindingRow]
    unknown: list[str]
    last_at: datetime | None
    waits: bool  # for an approval
    may_ship: bool


def experiment_of(
    row: Rollout, found: Sequence[AnalysisView], actor: Actor
) -> ExperimentView | None:
    """Return the A/B test of a rollout; ``None`` when its plan has none."""
    index = next((p for p, step in enumerate(row.steps) if isinstance(step, AbTest)), None)
    if index is None:
        return None
    step = row.steps[index]
    assert isinstance(step, AbTest)
    seen = next((a for a in found if a.number == index + 1), None)
    return ExperimentView(
        number=index + 1,
        state=_state(row, index, seen),
        says=seen.verdict["sentence"] if seen else "No data yet.",
        declared=declared(row, index, step),
        ratio=_ratio(step, seen) if seen else "",
        metrics=seen.metrics if seen else [],
        unknown=_unknown(row, index, step, seen),
        last_at=seen.last.at if seen else None,
        waits=row.waits_to_ship,
        may_ship=row.waits_to_ship and may_ship(row, actor),
    )


def declared(row: Rollout, index: int, step: AbTest) -> list[tuple[str, str]]:
    """Return what was declared before it started, as names and words."""
    weight = next(s.weight for s in row.steps[:index] if isinstance(s, SetWeight))
    of = "units" if "unit" in row.to_revision.serving else "requests"
    guards = "; ".join(asked_of(metric).asked for metric in step.guardrails)
    return [
        ("Sought", effect_of(step).asked),
        ("Guardrails", guards or "none"),
        ("Allocation", f"{weight * 100 / WHOLE:g}% of the {of} to the new revision"),
        ("Unit", unit_of(row)),
        ("α", f"{step.alpha * 100:g}%"),
        (
            "Ends after",
            f"{step.stop_after.requests:,} {of} of the new revision, or "
            f"{spell(step.stop_after.seconds)}",
        ),
    ]


def unit_of(row: Rollout) -> str:
    """Say what is drawn: a unit, by where it stands, or each request."""
    source = row.to_revision.serving.get("unit")
    if not source:
        return "each request"
    ((where, name),) = source.items()
    return f"{where} {name}"


def _state(row: Rollout, index: int, seen: AnalysisView | None) -> str:
    if row.step > index + 1:
        return "shipped"
    if row.step == index + 1:
        return "effect_shown"
    return seen.verdict["outcome"] if seen else "waiting"


def _ratio(step: AbTest, seen: AnalysisView) -> str:
    """Say how the split is against the planned one."""
    candidate, stable = seen.verdict["new_requests"], seen.verdict["stable_requests"]
    whole = candidate + stable
    if not whole:
        return "No data yet."
    needed = -math.log10(step.alpha * RATIO_PART)
    evidence = seen.verdict["evidence_of_another_share"]
    finding = "mismatch" if evidence >= needed else "as planned"
    planned = percent(seen.verdict["planned_share"])
    return f"{percent(candidate / whole)} of {whole:,}, {planned} planned: {finding}."


def _unknown(row: Rollout, index: int, step: AbTest, seen: AnalysisView | None) -> list[str]:
    """Return what the test does not tell yet, each in a sentence."""
    if row.step > index + 1 or row.finished_at is not None:
        return []
    sentences = [_open(metric) for metric in seen.metrics] if seen else []
    open_ends = [text for text in sentences if text]
    if row.step <= index:
        open_ends.append(_stop(row, index, step, seen))
    return open_ends or [SETTLED]


def _open(metric: MetricFindingRow) -> str:
    """Say what is not known of one metric; '' when that is settled."""
    finding = metric.finding
    what = finding["metric"]
    if finding.get("sought"):
        if finding["outcome"] == "inconclusive":
            return f"Whether the effect is there: {what.lower()} may differ by {metric.between}."
        return f"How large the effect is: {what.lower()} differ by {metric.between}."
    if finding["outcome"] == "inconclusive":
        return f"Whether this guardrail holds: {what.lower()} may differ by {metric.between}."
    return ""


def _stop(row: Rollout, index: int, step: AbTest, seen: AnalysisView | None) -> str:
    """Say when it ends without a decision."""
    counted = seen.verdict["new_requests"] if seen else 0
    text = f"How it ends: without evidence after {step.stop_after.requests:,} of the new revision"
    text += f", {counted:,} by now"
    if began := row.step_times.get(str(index)):
        at = datetime.fromisoformat(began) + timedelta(seconds=step.stop_after.seconds)
        text += f", or on {at:%d %B at %H:%M} UTC"
    return f"{text}."
