"""The declaration of an A/B test: what is sought, how much of it, what guards it, when it ends.

::

    {"strategy": "ab_test", "steps": [{"set_weight": 50}, {"ab_test": {
        "metric": {"metric": "latency", "over_ms": 250},
        "direction": "decrease", "minimum_effect": 0.01,
        "guardrails": [{"metric": "error_rate", "margin": 0.005}],
        "alpha": 0.05,
        "stop_after": {"requests": 100000, "seconds": 604800}}},
        {"ship": {}}, {"set_weight": 100}]}

It stands in the plan, so it is approved before the test starts and cannot change after that. The
weight before it is the allocation; the unit is that of the serving configuration.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationInfo

from apps.governance.parts import Part, ReadBy, is_stored, must, share, whole, wrong
from apps.governance.plan.analysis import MAX_MINIMUM, MAX_TIMEOUT
from apps.governance.plan.metrics import (
    METRICS,
    AnyMetric,
    ErrorRateMetric,
    Guardrails,
    LatencyMetric,
    OutcomeMetric,
    kind_of,
)

ALPHA, MOST_ALPHA, LEAST_ALPHA = 0.05, 0.1, 0.001
LEAST_EFFECT, MOST_EFFECT = 0.0001, 0.5
REQUESTS, SECONDS = 100_000, 7 * 86_400
# What an effect may be sought in, by the members that it takes.
SOUGHT: dict[str, set[str]] = {
    "error_rate": {"metric"},
    "latency": {"metric", "over_ms"},
    "outcome": {"metric", "name", "worst", "best"},
}
# The preset.
DECLARED: dict[str, Any] = {
    "metric": {"metric": "error_rate"},
    "direction": "decrease",
    "minimum_effect": 0.01,
    "guardrails": [{"metric": "latency", "over_ms": 1000, "margin": 0.05}],
    "alpha": ALPHA,
    "stop_after": {"requests": REQUESTS, "seconds": SECONDS},
}


def _effect(value: Any, info: ValidationInfo) -> AnyMetric:
    """Return a metric as one in which an effect is sought: without a margin."""
    kind = kind_of(value)
    if not kind or {**METRICS[kind].USUAL, **value}.keys() != SOUGHT.get(kind):
        detail = 'must be {"metric": "error_rate"}, {"metric": "latency", "over_ms": 250} or '
        raise wrong(((), detail + '{"metric": "outcome", "name": "chargeback"}'))
    held = METRICS[kind].model_validate({**value, "margin": 0}, context=info.context)
    return held.model_copy(update={"margin": None})


def better(beside: Mapping[str, Any]) -> str:
    """Return where a metric moves when it gets better: nobody seeks more errors."""
    metric = beside["metric"]
    rising = isinstance(metric, OutcomeMetric) and metric.best > metric.worst
    return "increase" if rising else "decrease"


def _direction(value: Any, info: ValidationInfo) -> Any:
    if "metric" in info.data and value != (way := better(info.data)) and not is_stored(info):
        raise wrong(((), f"must be {way}: more of what is bad is no effect to ship"))
    return value


class StopAfter(Part):
    """When a test ends that has shown nothing."""

    EXPECTED = 'must be {"requests": 100000, "seconds": 604800}, or one of the two'
    UNKNOWN = ""
    requests: Annotated[int, whole(1, MAX_MINIMUM)] = REQUESTS
    seconds: Annotated[int, whole(60, MAX_TIMEOUT)] = SECONDS


class AbTest(Part):
    """Hold the present weight until the declared effect is shown; over when it is.

    Or the test ends, and all goes back: when it is shown to be smaller, when a guardrail is
    broken, or after so many requests (units) of the new revision, or seconds, without either.
    """

    EXPECTED = "must declare metric and minimum_effect"
    metric: Annotated[ErrorRateMetric | LatencyMetric | OutcomeMetric, ReadBy(_effect)] = must()
    direction: Annotated[str, ReadBy(_direction)] = Field(default_factory=better)
    minimum_effect: Annotated[float, share(LEAST_EFFECT, MOST_EFFECT)] = must()
    guardrails: Guardrails = ()
    alpha: Annotated[float, share(LEAST_ALPHA, MOST_ALPHA)] = ALPHA
    stop_after: StopAfter = StopAfter()
