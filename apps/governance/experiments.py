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

from collections.abc import Mapping, Sequence
from typing import Any

from apps.governance.analyses import (
    MAX_MINIMUM,
    MAX_TIMEOUT,
    Faults,
    check_scale,
    metrics,
    on_scale,
)
from apps.governance.analyses import share as share_of
from apps.governance.analyses import whole as whole_number

ALPHA, MOST_ALPHA, LEAST_ALPHA = 0.05, 0.1, 0.001
LEAST_EFFECT, MOST_EFFECT = 0.0001, 0.5
REQUESTS, SECONDS = 100_000, 7 * 86_400
# What an effect may be sought in, by the members that it takes.
METRICS: dict[str, frozenset[str]] = {
    "error_rate": frozenset({"metric"}),
    "latency": frozenset({"metric", "over_ms"}),
    "outcome": frozenset({"metric", "name", "worst", "best"}),
}
KINDS = ("ab_test", "ship")
SHAPE = ["set_weight", "ab_test", "ship", "set_weight"]
# The preset.
DECLARED: dict[str, Any] = {
    "metric": {"metric": "error_rate"},
    "direction": "decrease",
    "minimum_effect": 0.01,
    "guardrails": [{"metric": "latency", "over_ms": 1000, "margin": 0.05}],
    "alpha": ALPHA,
    "stop_after": {"requests": REQUESTS, "seconds": SECONDS},
}


def ab_test(at: str, value: Any, faults: Faults) -> dict[str, Any]:
    """Return a whole declaration; what is not given takes its default, what is wrong goes to
    ``faults``."""
    if not isinstance(value, dict):
        faults.append((at, "must declare metric and minimum_effect"))
        return {}
    given = dict(value)
    metric = _metric(f"{at}/metric", given.pop("metric", None), faults)
    guards = given.pop("guardrails", [])
    document: dict[str, Any] = {
        "metric": metric,
        "direction": given.pop("direction", better := _better(metric)),
        "minimum_effect": given.pop("minimum_effect", None),
        "guardrails": metrics(f"{at}/guardrails", guards, faults) if guards != [] else [],
        "alpha": given.pop("alpha", ALPHA),
        "stop_after": _stop_after(f"{at}/stop_after", given.pop("stop_after", {}), faults),
    }
    if document["direction"] != better:
        detail = f"must be {better}: more of what is bad is no effect to ship"
        faults.append((f"{at}/direction", detail))
    least, most = LEAST_EFFECT, MOST_EFFECT
    share_of(f"{at}/minimum_effect", document["minimum_effect"], least, most, faults)
    share_of(f"{at}/alpha", document["alpha"], LEAST_ALPHA, MOST_ALPHA, faults)
    faults += [(f"{at}/{str(name)[:64]}", "is not known") for name in sorted(given, key=str)]
    return document


def ship(at: str, value: Any, faults: Faults) -> dict[str, Any]:
    """Read ``{}``: it takes nothing."""
    if value != {}:
        faults.append((at, "must be {}: who may ship is not for the plan to say"))
    return {}


def completed(at: str, steps: Sequence[dict[str, Any]], faults: Faults) -> list[dict[str, Any]]:
    """Return the steps of an A/B test with shipping and the last weight filled in."""
    found = [step for step in steps if "ship" not in step and step != {"set_weight": 100}]
    if [next(iter(step)) for step in found] != SHAPE[:2]:
        detail = "an A/B test is one set_weight below 100, its allocation, and then one ab_test"
        faults.append((at, detail))
        return []
    whole = [*found, {"ship": {}}, {"set_weight": 100}]
    if list(steps) not in (whole, whole[:2], whole[:3], [*found, whole[3]]):
        faults.append((at, "after ab_test come ship and set_weight 100, or nothing"))
    return whole


def _metric(at: str, value: Any, faults: Faults) -> dict[str, Any]:
    kind = value.get("metric") if isinstance(value, dict) else None
    metric = on_scale(value) if isinstance(kind, str) else {}
    if not isinstance(kind, str) or METRICS.get(kind) != frozenset(metric):
        detail = 'must be {"metric": "error_rate"}, {"metric": "latency", "over_ms": 250} or '
        faults.append((at, detail + '{"metric": "outcome", "name": "chargeback"}'))
        return {}
    if "over_ms" in metric:
        whole_number(f"{at}/over_ms", metric["over_ms"], 5, 10_000, faults)
    if kind == "outcome":
        check_scale(at, metric, faults)
    return metric


def _better(metric: Mapping[str, Any]) -> str:
    """Return where a metric moves when it gets better: nobody seeks more errors."""
    ends = (metric.get("worst"), metric.get("best"))
    worst, best = (end if isinstance(end, int | float) else 0 for end in ends)
    return "increase" if best > worst else "decrease"


def _stop_after(at: str, value: Any, faults: Faults) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(value) <= {"requests", "seconds"}:
        faults.append((at, 'must be {"requests": 100000, "seconds": 604800}, or one of the two'))
        return {}
    whole = {"requests": REQUESTS, "seconds": SECONDS} | value
    whole_number(f"{at}/requests", whole["requests"], 1, MAX_MINIMUM, faults)
    whole_number(f"{at}/seconds", whole["seconds"], 60, MAX_TIMEOUT, faults)
    return whole
