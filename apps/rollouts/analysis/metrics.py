"""The metrics of an analysis: what counts as bad, and what it is held against.

- error rate: an answer 5xx is bad. Against stable with a ``margin``, or ``at_most`` a rate.
- an effect that an A/B test seeks: the share of what is bad, ``margin`` below stable's at least.
  What one wants more of is sought as less of its opposite, so there is one way to test.
- an outcome that clients report by prediction id: bad as often as it lies near the ``worst`` end
  of its scale. Counted are outcomes, not requests: those that were reported of what was captured.
- output: the share of captured predictions that gave a value, or one above an edge, may be neither
  higher nor lower than stable's by more than the ``margin``. Each way is a test of its own, of what
  gave it and of what did not (``parts``), so a shifted distribution is found by the two-sided test
  of each value. What neither revision ever gave shows nothing.
- latency: slower than so many milliseconds is bad. "p95 is at most 250 ms" says the same as "at
  most 5% take longer than 250 ms", so a quantile is judged as a rate; no estimate of a quantile
  is made from buckets. A time within a bucket is counted for the side that it does not help: not
  slower when the candidate is to be shown worse, slower when it is to be shown good enough.
"""

from dataclasses import dataclass, replace
from typing import Literal

from apps.governance.plan import (
    AnyMetric,
    LatencyMetric,
    OutcomeMetric,
    OutputMetric,
    PrometheusMetric,
)
from apps.rollouts.analysis.evidence import Direction, TrialTally
from apps.rollouts.analysis.readings import Threshold
from apps.rollouts.analysis.records import OutputTest, Own, Scale, Sums


@dataclass(frozen=True, slots=True)
class JudgedMetric:
    """One metric. With ``at_most`` it is held to that rate, else to stable's plus ``margin``.

    One that is ``sought`` has a margin below 0: the candidate is to be better by so much.
    """

    kind: Literal["error_rate", "latency", "outcome", "output"]
    margin: float = 0.0
    at_most: float | None = None
    milliseconds: float | None = None
    quantile: float | None = None
    sought: bool = False
    scale: Scale | None = None  # of an outcome
    answers: tuple[OutputTest, ...] = ()  # of an output as a plan asks for it: see ``parts``
    answer: OutputTest | None = None  # of one of those parts

    def seeking(self, minimum_effect: float) -> "JudgedMetric":
        """Return the metric as one in which an effect of at least so much is sought."""
        return replace(self, margin=-minimum_effect, sought=True)

    @property
    def against_stable(self) -> bool:
        """Tell whether stable is what it is compared with."""
        return self.at_most is None

    @property
    def parts(self) -> tuple["JudgedMetric", ...]:
        """The tests that it takes: one, or of outputs one each way for each value."""
        if not self.answers:
            return (self,)
        ways = (replace(answer, other=other) for answer in self.answers for other in (False, True))
        return tuple(replace(self, answers=(), answer=way) for way in ways)

    @property
    def own(self) -> Own | None:
        """What is counted of captured predictions; ``None`` where windows tell."""
        return self.scale or self.answer

    @property
    def counted(self) -> Literal["requests", "outcomes", "predictions"]:
        """What a trial is, where each request is assigned by itself."""
        return "outcomes" if self.scale else "predictions" if self.answer else "requests"

    @property
    def common(self) -> bool:
        """Tell whether most trials may be bad: of errors nobody would wait for that."""
        return self.own is not None

    @property
    def limit(self) -> float:
        """The rate, or the difference of rates, that is still allowed."""
        return self.margin if self.at_most is None else self.at_most

    @property
    def bad(self) -> str:
        """What a bad request does, in words."""
        if self.scale is not None:
            return f"had {self.scale.bad}"
        if self.answer is not None:
            return self.answer.bad
        if self.milliseconds is None:
            return "failed"
        return f"took longer than {self.milliseconds:g} ms"

    @property
    def title(self) -> str:
        """What the metric is called on pages."""
        if self.scale is not None:
            return f"Outcome {self.scale.bad}"
        if self.answer is not None:
            noun, way = self.answer.field or "Output", "less" if self.answer.other else "more"
            return f"{noun} {self.answer.named} {way} often"
        if self.milliseconds is None:
            return "Server errors"
        if self.quantile is not None:
            return f"p{self.quantile * 100:g} latency at most {self.milliseconds:g} ms"
        return f"Slower than {self.milliseconds:g} ms"

    @property
    def asked(self) -> str:
        """What is asked of the candidate, in words."""
        if self.quantile is not None:
            return f"p{self.quantile * 100:g} latency at most {self.milliseconds:g} ms"
        what = f"slower than {self.milliseconds:g} ms" if self.milliseconds else "server errors"
        if self.scale is not None:
            what = self.scale.bad
        if self.answers:
            named = " or ".join(answer.named for answer in self.answers)
            points = f"{self.margin * 100:g} point{'' if self.margin == 0.01 else 's'}"
            return f"{self.answers[0].field or 'output'} {named} within {points} of stable"
        if self.at_most is not None:
            return f"{what} at most {self.at_most * 100:g}%"
        if self.sought:
            plural = "" if self.margin == -0.01 else "s"
            return f"{what} at least {-self.margin * 100:g} point{plural} below stable"
        if not self.margin:
            return f"{what} no worse than stable"
        plural = "" if self.margin == 0.01 else "s"
        return f"{what} at most {self.margin * 100:g} point{plural} over stable"

    @property
    def proves_success(self) -> bool:
        """Tell whether success is shown by evidence: equal revisions can never be shown to differ
        by less than a margin of nothing."""
        return not self.against_stable or self.margin > 0 or self.sought

    def count(self, sums: Sums, *, harsh: bool) -> TrialTally:
        """Return the bad requests in ``sums``; ``harsh`` counts what may be bad as well."""
        if self.own is not None:
            return sums.own.get(self.own, TrialTally())
        if self.milliseconds is None:
            return TrialTally(sums.requests, sums.errors)
        slower = sums.possibly_slower if harsh else sums.certainly_slower
        return TrialTally(sums.requests, slower(self.milliseconds))

    def trials(self, sums: Sums) -> float:
        """Return how many trials of the metric there were."""
        return self.count(sums, harsh=False).trials

    def seen(self, candidate: Sums, stable: Sums) -> bool:
        """Tell whether there is anything to show: an output that nobody ever gave is none."""
        return self.answer is None or any(
            self.answer.seen(self.count(sums, harsh=False)) for sums in (candidate, stable)
        )

    def tallies(
        self, candidate: Sums, stable: Sums, direction: Direction
    ) -> tuple[TrialTally, TrialTally]:
        """Return candidate and stable counted against what is to be shown."""
        better = direction == "better"
        return self.count(candidate, harsh=better), self.count(stable, harsh=not better)


def asked_of(metric: AnyMetric) -> JudgedMetric | Threshold:
    """Return what a plan asks for, of requests or of a Prometheus."""
    if not isinstance(metric, PrometheusMetric):
        return metric_of(metric)
    least, most = metric.at_least, metric.at_most
    if most is not None:
        return Threshold(metric.query, most, "at_most", metric.for_seconds)
    assert least is not None
    return Threshold(metric.query, least, "at_least", metric.for_seconds)


def metric_of(metric: AnyMetric) -> JudgedMetric:
    """Return a metric of requests as it is counted."""
    assert not isinstance(metric, PrometheusMetric)
    margin = metric.margin or 0.0
    match metric:
        case OutputMetric(equal=values, above=edges, field=field):
            tests = [OutputTest("is", v, field or "") for v in values or ()]
            tests += [OutputTest("above", edge, field or "") for edge in edges or ()]
            return JudgedMetric("output", margin, answers=tuple(tests))
        case LatencyMetric(quantile=float(share), at_most_ms=bound):
            rate = round(1 - share, 9)
            return JudgedMetric("latency", at_most=rate, milliseconds=bound, quantile=share)
        case LatencyMetric(over_ms=bound):
            return JudgedMetric("latency", margin, milliseconds=bound)
        case OutcomeMetric(name=name, worst=worst, best=best):
            return JudgedMetric("outcome", margin, metric.at_most, scale=Scale(name, worst, best))
    return JudgedMetric(metric.metric, margin, metric.at_most)
