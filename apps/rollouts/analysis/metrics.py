"""The metrics of an analysis: what counts as bad, and what it is held against.

- error rate: an answer 5xx is bad. Against stable with a ``margin``, or ``at_most`` a rate.
- an effect that an A/B test seeks: the share of what is bad, ``margin`` below stable's at least.
  What one wants more of is sought as less of its opposite, so there is one way to test.
- an outcome that clients report by prediction id: bad as often as it lies near the ``worst`` end
  of its scale. Counted are outcomes, not requests: those that were reported of what was captured.
- latency: slower than so many milliseconds is bad. "p95 is at most 250 ms" says the same as "at
  most 5 % take longer than 250 ms", so a quantile is judged as a rate; no estimate of a quantile
  is made from buckets. A time within a bucket is counted for the side that it does not help: not
  slower when the candidate is to be shown worse, slower when it is to be shown good enough.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from apps.rollouts.analysis.evidence import Direction, Tally
from apps.rollouts.analysis.records import Scale, Sums


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. With ``at_most`` it is held to that rate, else to stable's plus ``margin``.

    One that is ``sought`` has a margin below 0: the candidate is to be better by so much.
    """

    kind: Literal["error_rate", "latency", "outcome"]
    margin: float = 0.0
    at_most: float | None = None
    milliseconds: float | None = None
    quantile: float | None = None
    sought: bool = False
    scale: Scale | None = None  # of an outcome

    def seeking(self, minimum_effect: float) -> "Metric":
        """Return the metric as one in which an effect of at least so much is sought."""
        return replace(self, margin=-minimum_effect, sought=True)

    @property
    def against_stable(self) -> bool:
        """Tell whether stable is what it is compared with."""
        return self.at_most is None

    @property
    def common(self) -> bool:
        """Tell whether most trials may be bad: of errors nobody would wait for that."""
        return self.scale is not None

    @property
    def direction(self) -> str:
        """Where the metric moves when the candidate is better, as a plan writes it."""
        return "increase" if self.scale and self.scale.best > self.scale.worst else "decrease"

    @property
    def limit(self) -> float:
        """The rate, or the difference of rates, that is still allowed."""
        return self.margin if self.at_most is None else self.at_most

    @property
    def written(self) -> dict[str, Any]:
        """The metric as a plan writes it."""
        if self.milliseconds is None:
            key = "margin" if self.at_most is None else "at_most"
            scale = {} if self.scale is None else asdict(self.scale)
            return {"metric": self.kind, **scale, key: self.limit}
        if self.quantile is not None:
            return {
                "metric": "latency", "quantile": self.quantile, "at_most_ms": self.milliseconds
            }  # fmt: skip
        return {"metric": "latency", "over_ms": self.milliseconds, "margin": self.margin}

    @property
    def bad(self) -> str:
        """What a bad request does, in words."""
        if self.scale is not None:
            return f"had {self.scale.bad}"
        if self.milliseconds is None:
            return "failed"
        return f"took longer than {self.milliseconds:g} ms"

    @property
    def title(self) -> str:
        """What the metric is called on pages."""
        if self.scale is not None:
            return f"Outcome {self.scale.bad}"
        if self.milliseconds is None:
            return "Errors"
        if self.quantile is not None:
            return f"p{self.quantile * 100:g} latency at most {self.milliseconds:g} ms"
        return f"Slower than {self.milliseconds:g} ms"

    @property
    def asked(self) -> str:
        """What is asked of the new revision, in words."""
        if self.quantile is not None:
            return f"p{self.quantile * 100:g} latency at most {self.milliseconds:g} ms"
        what = "errors" if self.milliseconds is None else f"slower than {self.milliseconds:g} ms"
        if self.scale is not None:
            what = self.scale.bad
        if self.at_most is not None:
            return f"{what} at most {self.at_most * 100:g} %"
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

    def count(self, sums: Sums, *, harsh: bool) -> Tally:
        """Return the bad requests in ``sums``; ``harsh`` counts what may be bad as well."""
        if self.scale is not None:
            return sums.outcomes.get(self.scale, Tally())
        if self.milliseconds is None:
            return Tally(sums.requests, sums.errors)
        slower = sums.possibly_slower if harsh else sums.certainly_slower
        return Tally(sums.requests, slower(self.milliseconds))

    def trials(self, sums: Sums) -> float:
        """Return how many trials of the metric there were."""
        return self.count(sums, harsh=False).trials

    def tallies(self, new: Sums, old: Sums, direction: Direction) -> tuple[Tally, Tally]:
        """Return candidate and stable counted against what is to be shown."""
        better = direction == "better"
        return self.count(new, harsh=better), self.count(old, harsh=not better)


def metric_of(document: Mapping[str, Any]) -> Metric:
    """Read a metric of a plan; governance has validated it."""
    kind = document["metric"]
    if kind != "latency":
        scale = None
        if kind == "outcome":
            scale = Scale(document["name"], document["worst"], document["best"])
        return Metric(kind, document.get("margin", 0.0), document.get("at_most"), scale=scale)
    if "quantile" in document:
        quantile = document["quantile"]
        return Metric(
            "latency",
            at_most=round(1 - quantile, 9),
            milliseconds=document["at_most_ms"],
            quantile=quantile,
        )
    return Metric("latency", document.get("margin", 0.0), milliseconds=document["over_ms"])
