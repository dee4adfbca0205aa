"""The analysis steps of a plan: what is measured, what is allowed, and when to give up.

::

    {"analysis": {
        "metrics": [
            {"metric": "error_rate", "margin": 0.01},
            {"metric": "error_rate", "at_most": 0.02},
            {"metric": "latency", "over_ms": 250, "margin": 0.02},
            {"metric": "latency", "quantile": 0.95, "at_most_ms": 250}],
        "minimum_requests": 100, "timeout_seconds": 3600, "on_inconclusive": "wait"}}

With ``margin`` the new revision may be worse than stable by so much (a difference of shares); with
``at_most`` it is held to a share, or to a latency, whatever stable does.
"""

from collections.abc import Mapping
from typing import Any

Faults = list[tuple[str, str]]

MARGIN = 0.01
MAX_METRICS = 4
MINIMUM_REQUESTS, MAX_MINIMUM = 100, 10_000_000
TIMEOUT_SECONDS, MAX_TIMEOUT = 3600, 7 * 86_400
METRICS = ["error_rate", "latency"]
ENDINGS = ("wait", "abort", "pass")  # at the timeout, when nothing is shown either way
# What the presets hold a new revision to at each weight.
CAREFUL: dict[str, Any] = {
    "metrics": [
        {"metric": "error_rate", "margin": MARGIN},
        {"metric": "latency", "over_ms": 1000, "margin": 0.05},
    ],
    "minimum_requests": MINIMUM_REQUESTS,
    "timeout_seconds": TIMEOUT_SECONDS,
    "on_inconclusive": "wait",
}
_SHAPES = {
    frozenset({"metric", "margin"}): "error_rate",
    frozenset({"metric", "at_most"}): "error_rate",
    frozenset({"metric", "over_ms", "margin"}): "latency",
    frozenset({"metric", "quantile", "at_most_ms"}): "latency",
}


def analysis(at: str, value: Any, faults: Faults) -> dict[str, Any]:
    """Return a whole analysis; what is not given takes its default, what is wrong goes to
    ``faults``."""
    if not isinstance(value, dict):
        faults.append((at, 'must have metrics: {"metrics": [{"metric": "error_rate"}]}'))
        return {}
    given = dict(value)
    document: dict[str, Any] = {
        "metrics": metrics(f"{at}/metrics", given.pop("metrics", None), faults),
        "minimum_requests": given.pop("minimum_requests", MINIMUM_REQUESTS),
        "timeout_seconds": given.pop("timeout_seconds", TIMEOUT_SECONDS),
        "on_inconclusive": given.pop("on_inconclusive", "wait"),
    }
    whole(f"{at}/minimum_requests", document["minimum_requests"], 1, MAX_MINIMUM, faults)
    whole(f"{at}/timeout_seconds", document["timeout_seconds"], 60, MAX_TIMEOUT, faults)
    if document["on_inconclusive"] not in ENDINGS:
        faults.append((f"{at}/on_inconclusive", f"must be one of: {', '.join(ENDINGS)}"))
    if "minimum_requests" not in value and any(m.get("margin") == 0 for m in document["metrics"]):
        detail = "must be given with a margin of 0: success is then so many requests without harm"
        faults.append((f"{at}/minimum_requests", detail))
    faults += [(f"{at}/{str(name)[:64]}", "is not known") for name in sorted(given, key=str)]
    return document


def needs_stable(document: Mapping[str, Any]) -> bool:
    """Tell whether an analysis compares with the stable revision."""
    return any("margin" in metric for metric in document["metrics"])


def metrics(at: str, value: Any, faults: Faults) -> list[dict[str, Any]]:
    """Return metrics that a new revision is held to, each with its default margin."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_METRICS:
        faults.append((at, f"must be a list of 1 to {MAX_METRICS} metrics"))
        return []
    found: list[dict[str, Any]] = []
    for place, item in enumerate(value):
        before = len(faults)
        metric = _metric(f"{at}/{place}", item, faults)
        if len(faults) == before and metric in found:
            faults.append((f"{at}/{place}", "is there twice"))
        found.append(metric)
    return found


def _metric(at: str, item: Any, faults: Faults) -> dict[str, Any]:
    """Return a metric with its default margin."""
    if not isinstance(item, dict) or item.get("metric") not in METRICS:
        faults.append((f"{at}/metric", "must be error_rate or latency"))
        return {}
    metric = dict(item)
    if not {"at_most", "quantile", "at_most_ms"} & set(metric):
        metric.setdefault("margin", MARGIN)
    if _SHAPES.get(frozenset(metric)) != metric["metric"]:
        shapes = {
            "error_rate": "margin or at_most",
            "latency": "over_ms and margin, or quantile and at_most_ms",
        }
        faults.append((at, f"takes {shapes[metric['metric']]}, and nothing else"))
        return {}
    for name, number in metric.items():
        if name in _RANGES:
            share(f"{at}/{name}", number, *_RANGES[name], faults)
        elif name != "metric":
            whole(f"{at}/{name}", number, 5, 10_000, faults)
    return metric


_RANGES = {"margin": (0.0, 0.5), "at_most": (0.0001, 0.5), "quantile": (0.5, 0.999)}


def share(at: str, value: Any, low: float, high: float, faults: Faults) -> None:
    """Refuse what is no share within these bounds."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # what is no number lies nowhere
        faults.append((at, f"must be a share from {low:g} to {high:g}"))


def whole(at: str, value: Any, low: int, high: int, faults: Faults) -> None:
    """Refuse what is no whole number within these bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        faults.append((at, f"must be a whole number from {low} to {high}"))
