"""The analysis steps of a plan: what is measured, what is allowed, and when to give up.

::

    {"analysis": {
        "metrics": [
            {"metric": "error_rate", "margin": 0.01},
            {"metric": "error_rate", "at_most": 0.02},
            {"metric": "latency", "over_ms": 250, "margin": 0.02},
            {"metric": "latency", "quantile": 0.95, "at_most_ms": 250},
            {"metric": "outcome", "name": "chargeback", "worst": 1, "best": 0, "margin": 0.01},
            {"metric": "output", "field": "label", "is": ["fraud"], "margin": 0.05},
            {"metric": "prometheus", "query": "sum(rate(refunds_total[5m]))", "at_most": 2.5,
             "for_seconds": 60}],
        "minimum_requests": 100, "timeout_seconds": 3600, "on_inconclusive": "wait"}}
"""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from apps.governance.parts import Part, must, one_of, whole, wrong
from apps.governance.plan.metrics import Metrics

MINIMUM_REQUESTS, MAX_MINIMUM = 100, 10_000_000
TIMEOUT_SECONDS, MAX_TIMEOUT = 3600, 7 * 86_400
# What the presets hold a new revision to at each weight.
CAREFUL: dict[str, Any] = {
    "metrics": [
        {"metric": "error_rate", "margin": 0.01},
        {"metric": "latency", "over_ms": 1000, "margin": 0.05},
    ],
    "minimum_requests": MINIMUM_REQUESTS,
    "timeout_seconds": TIMEOUT_SECONDS,
    "on_inconclusive": "wait",
}


class Analysis(Part):
    """Hold the new revision against what is allowed; over when that is shown either way."""

    EXPECTED = 'must have metrics: {"metrics": [{"metric": "error_rate"}]}'
    metrics: Metrics = must()
    minimum_requests: Annotated[int, whole(1, MAX_MINIMUM)] = MINIMUM_REQUESTS
    timeout_seconds: Annotated[int, whole(60, MAX_TIMEOUT)] = TIMEOUT_SECONDS
    # at the timeout, when nothing is shown either way
    on_inconclusive: Annotated[
        Literal["wait", "abort", "pass"], one_of("wait", "abort", "pass")
    ] = "wait"

    @model_validator(mode="after")
    def _minimum(self) -> Self:
        explicit = "minimum_requests" in self.model_fields_set
        if not explicit and any(metric.margin == 0 for metric in self.metrics):
            detail = (
                "must be given with a margin of 0: success is then so many requests without harm"
            )
            raise wrong((("minimum_requests",), detail))
        return self

    @property
    def against_stable(self) -> bool:
        """Tell whether it compares with the stable revision."""
        return any(metric.margin is not None for metric in self.metrics)
