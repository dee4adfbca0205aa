"""The analyses of a rollout as its page shows them: each with its numbers and how they came."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.template.defaultfilters import floatformat

from apps.console.charts import BoundsChart, bounds_chart
from apps.console.templatetags.placet import number
from apps.rollouts.analysis import DecidingVerdict, judged_by
from apps.rollouts.analysis.sentences import percent as percent_of
from apps.rollouts.analysis.sentences import points
from apps.rollouts.analysis.stored_verdict import KeptFinding, KeptReading, KeptVerdict
from apps.rollouts.models import Look, Rollout
from apps.rollouts.queries import looks


@dataclass(slots=True)
class MetricFindingRow:
    """One metric at the last look, and the chart of all looks."""

    finding: KeptFinding
    chart: BoundsChart | None

    @property
    def compared(self) -> bool:
        """Tell whether stable is what it is compared with."""
        return self.finding["stable_requests"] is not None

    @property
    def candidate_percent(self) -> float | None:
        """Bad requests of the candidate, in percent."""
        return percent(self.finding["new_bad"], self.finding["new_requests"])

    @property
    def stable_percent(self) -> float | None:
        """Bad requests of stable, in percent."""
        return percent(self.finding["stable_bad"] or 0, self.finding["stable_requests"] or 0)

    @property
    def candidate(self) -> str:
        """Bad requests of the candidate, and of how many."""
        return share(self.candidate_percent, self.finding["new_requests"])

    @property
    def stable(self) -> str:
        """Bad requests of stable, and of how many."""
        return share(self.stable_percent, self.finding["stable_requests"])

    @property
    def is_sought(self) -> bool:
        """Tell whether it is an effect, and no guardrail."""
        return bool(self.finding.get("sought"))

    @property
    def titles(self) -> tuple[str, str]:
        """What the bounds are of, and what stands beside them."""
        bounds = "Difference" if self.compared else "True share"
        return bounds, "Sought" if self.is_sought else "Allowed"

    @property
    def evidence(self) -> str:
        """How strong the evidence is, for each of the two answers, and how strong it must be."""
        names = ("less", "enough") if self.is_sought else ("worse", "within")
        found = self.finding["evidence_worse"], self.finding["evidence_better"]
        shown = [f"“{n}” {_e_value(e)}" for n, e in zip(names, found, strict=True)]
        return f"{', '.join(shown)} (needs {_e_value(self.finding['needed'])})"

    @property
    def between(self) -> str:
        """The bounds, in points of percent."""
        low, high = (100 * self.finding[name] for name in ("low", "high"))
        unit = "points" if self.compared else "%"
        return f"{low:.3g} to {high:.3g} {unit}".replace("-", "−")

    @property
    def allowed(self) -> str:
        """What is allowed, or sought."""
        if self.finding.get("sought"):
            return f"{points(-self.finding['limit'])} less"
        return points(self.finding["limit"]) if self.compared else percent_of(self.finding["limit"])


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """What a Prometheus said of one query, and what it is held against."""

    reading: KeptReading

    @property
    def value(self) -> str:
        """What it answered."""
        value = self.reading["value"]
        return "no value" if value is None else number(value)

    @property
    def allowed(self) -> str:
        """What is allowed, and for how long it must be so."""
        side = "at most" if self.reading["side"] == "at_most" else "at least"
        return (
            f"{side} {number(self.reading['limit'])}, for {number(self.reading['for_seconds'])} s"
        )


@dataclass(slots=True)
class AnalysisView:
    """One analysis: the last look, and each metric."""

    number: int  # of the step, from 1
    last: Look
    metrics: list[MetricFindingRow]

    @property
    def verdict(self) -> KeptVerdict:
        """What was said last."""
        verdict: KeptVerdict = self.last.verdict
        return verdict

    @property
    def readings(self) -> list[ReadingRow]:
        """What a Prometheus said last."""
        return [ReadingRow(reading) for reading in self.verdict.get("readings", [])]

    @property
    def share(self) -> str:
        """Planned and measured share of the requests."""
        candidate, stable = self.verdict["new_requests"], self.verdict["stable_requests"]
        measured = percent(candidate, candidate + stable)
        planned = f"{100 * self.verdict['planned_share']:g}% planned"
        return planned if measured is None else f"{measured:.3g}% measured, {planned}"


def share(part: float | None, requests: int | None) -> str:
    """Return a share in percent, and of how many requests it is."""
    if part is None:
        return "no requests counted"
    return f"{floatformat(part, '-3')}% of {number(requests)}"


def percent(count: int, of: int) -> float | None:
    """Return a share in percent; ``None`` of nothing."""
    return 100 * count / of if of else None


def analyses_of(rollout: Rollout) -> list[AnalysisView]:
    """Return every analysis that was looked at, the newest first."""
    by_step: dict[int, list[Look]] = {}
    for look in looks(rollout).order_by("at"):
        by_step.setdefault(look.step, []).append(look)
    return [_analysis(step, by_step[step]) for step in sorted(by_step, reverse=True)]


def last_analyses(rollouts: Sequence[Rollout]) -> dict[str, list[AnalysisView]]:
    """Return what each analysis of these rollouts said last, the newest first, by rollout (one
    query, none for no rollout)."""
    found: dict[str, list[AnalysisView]] = {}
    if not rollouts:
        return found
    rows = Look.objects.filter(rollout__in=[row.pk for row in rollouts])
    for look in rows.order_by("rollout", "-step", "-at").distinct("rollout", "step"):
        found.setdefault(look.rollout_id, []).append(_analysis(look.step, [look]))
    return found


def _analysis(step: int, rows: Sequence[Look]) -> AnalysisView:
    all_findings = [row.verdict["findings"] for row in rows if row.verdict["findings"]]
    metrics = [
        MetricFindingRow(finding, bounds_chart([findings[index] for findings in all_findings]))
        for index, finding in enumerate(all_findings[-1] if all_findings else [])
    ]
    return AnalysisView(step + 1, rows[-1], metrics)


def judged_of(rollout: Rollout, found: Sequence[AnalysisView]) -> DecidingVerdict | None:
    """Return what is said last of the present step, or of the A/B test that is to be shipped."""
    for item in found:
        if item.number - 1 == rollout.judged_step:
            return judged_by(item.verdict)
    return None


def _e_value(power: float) -> str:
    """Return ten to the power of ``power``, in three digits; its size alone where it is huge."""
    return number(float(f"{10**power:.3g}")) if power < 6 else "over 1,000,000"
