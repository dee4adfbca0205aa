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

With ``margin`` the new revision may be worse than stable by so much (a difference of shares); with
``at_most`` it is held to a share, or to a latency, whatever stable does. An outcome is what clients
report of predictions by their ids; shares are of the way from its ``best`` value to its ``worst``.
Of outputs the share that gave a value, or one ``above`` an edge, may differ from stable's by the
margin, up or down. What a Prometheus says is held to a bound for so many seconds.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

Faults = list[tuple[str, str]]

MARGIN, OUTPUT_MARGIN = 0.01, 0.05
MAX_METRICS = 4
MINIMUM_REQUESTS, MAX_MINIMUM = 100, 10_000_000
TIMEOUT_SECONDS, MAX_TIMEOUT = 3600, 7 * 86_400
CAPTURED = ("outcome", "output")  # counted of captured predictions
OUTCOME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_VALUE = 1e12
MAX_OUTPUTS, MAX_TEXT = 5, 100
FOR_SECONDS, MOST_SECONDS, MAX_QUERY = 60, 3600, 1000
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
# What each kind takes beside its name, and how that is said.
_SHAPES: dict[str, tuple[set[str], ...]] = {
    "error_rate": ({"margin"}, {"at_most"}),
    "latency": ({"over_ms", "margin"}, {"quantile", "at_most_ms"}),
    "outcome": ({"name", "worst", "best", "margin"}, {"name", "worst", "best", "at_most"}),
    "output": (
        {"is", "margin"}, {"above", "margin"},
        {"field", "is", "margin"}, {"field", "above", "margin"},
    ),
}  # fmt: skip
_TAKES = {
    "error_rate": "margin or at_most",
    "latency": "over_ms and margin, or quantile and at_most_ms",
    "outcome": "name, worst, best, and margin or at_most",
    "output": "is or above, margin, and perhaps field",
}
METRICS = [*_SHAPES, "prometheus"]


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
        faults.append((f"{at}/metric", f"must be one of: {', '.join(METRICS)}"))
        return {}
    if item["metric"] == "prometheus":
        return _threshold(at, item, faults)
    metric = on_scale(item)
    if not {"at_most", "quantile", "at_most_ms"} & set(metric):
        metric.setdefault("margin", OUTPUT_MARGIN if item["metric"] == "output" else MARGIN)
    kind = metric["metric"]
    if set(metric) - {"metric"} not in _SHAPES[kind]:
        faults.append((at, f"takes {_TAKES[kind]}, and nothing else"))
        return {}
    for name, number in metric.items():
        if name in _RANGES:
            share(f"{at}/{name}", number, *_RANGES[name], faults)
        elif name.endswith("_ms"):
            whole(f"{at}/{name}", number, 5, 10_000, faults)
    if kind == "outcome":
        check_scale(at, metric, faults)
    if kind == "output":
        _check_output(at, metric, faults)
    return metric


def _threshold(at: str, item: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """Return a query with its bound and the time that this must be kept or broken for."""
    metric = {"for_seconds": FOR_SECONDS, **item}
    sides = sorted({"at_most", "at_least"} & set(metric))
    if set(metric) != {"metric", "query", "for_seconds", *sides} or len(sides) != 1:
        detail = "takes query, at_most or at_least, perhaps for_seconds, and nothing else"
        faults.append((at, detail))
        return {}
    if not _is_text(metric["query"], MAX_QUERY):
        faults.append((f"{at}/query", f"must be a line of PromQL, at most {MAX_QUERY} characters"))
    if not _is_number(metric[sides[0]]):
        faults.append((f"{at}/{sides[0]}", "must be a number"))
    whole(f"{at}/for_seconds", metric["for_seconds"], 10, MOST_SECONDS, faults)
    return metric


def _check_output(at: str, metric: Mapping[str, Any], faults: Faults) -> None:
    """Refuse an output metric that looks for nothing that an output can be."""
    test = "is" if "is" in metric else "above"
    if not _is_text(metric.get("field", "output")):
        faults.append((f"{at}/field", f"must be a name of up to {MAX_TEXT} printable characters"))
    values = metric[test] if isinstance(metric[test], list) else []
    if not 1 <= len(values) <= MAX_OUTPUTS or any(v in values[:n] for n, v in enumerate(values)):
        faults.append((f"{at}/{test}", f"must be a list of 1 to {MAX_OUTPUTS} different values"))
    texts = "" if test == "above" else f", true, false, or a text of up to {MAX_TEXT} characters"
    for place, value in enumerate(values[:MAX_OUTPUTS]):
        if not _is_number(value) and not (texts and (isinstance(value, bool) or _is_text(value))):
            faults.append((f"{at}/{test}/{place}", f"must be a number{texts}"))


def _is_number(value: object) -> bool:
    """Tell whether a value is a number that an output or an outcome can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -MOST_VALUE <= value <= MOST_VALUE  # what is no number lies nowhere


def _is_text(value: object, most: int = MAX_TEXT) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= most and value.isprintable()


def on_scale(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a metric; an outcome has the scale of what should not happen unless it says so."""
    return {"worst": 1, "best": 0, **item} if item["metric"] == "outcome" else dict(item)


def check_scale(at: str, metric: Mapping[str, Any], faults: Faults) -> None:
    """Refuse an outcome whose name or scale is none."""
    if not isinstance(metric["name"], str) or not OUTCOME.fullmatch(metric["name"]):
        faults.append((f"{at}/name", "must be up to 40 of a to z, 0 to 9 and _, a letter first"))
    for end in ("worst", "best"):
        if not _is_number(metric[end]):
            faults.append((f"{at}/{end}", f"must be a number, at most {MOST_VALUE:g}"))
            return
    if metric["worst"] == metric["best"]:
        faults.append((f"{at}/best", "must be another value than worst"))


def measured(steps: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return every metric that the steps of a plan look at."""
    found: list[Mapping[str, Any]] = []
    for step in steps:
        found += step.get("analysis", {}).get("metrics", [])
        if "ab_test" in step:
            found += [step["ab_test"]["metric"], *step["ab_test"]["guardrails"]]
    return found


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
