"""How requests were answered, counted in windows."""

import re
from typing import Any, Final, Literal, NotRequired, TypedDict, get_args

from placet_protocol import bounded

LATENCY_BOUNDS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)  # then "inf"
MAX_COUNT = 2**31 - 1
MAX_BUCKETS = 64
LONGEST_SECONDS = 3600
_BOUND = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?|inf")  # milliseconds

# Requests that no split decided on: no unit could be read, so they stayed on stable; a header led
# them to the candidate; they are copies. And those that a limit of the release refused.
Cohort = Literal["no_unit", "overridden", "mirrored", "limited"]
COHORTS: Final[tuple[Cohort, ...]] = get_args(Cohort)


class RequestCounts(TypedDict):
    """How requests were answered."""

    status_2xx: int
    status_3xx: int
    status_4xx: int
    status_5xx: int
    latency: dict[str, int]  # requests per upper bound in ms: {"5": 10, …, "inf": 0}


class MetricWindow(RequestCounts):
    """Requests of one revision in one window; those ``apart`` stand there alone."""

    revision: str
    started_at: str
    seconds: float
    # of each unit that was drawn: its first request since the split has this salt and weight
    first: NotRequired[RequestCounts]
    apart: NotRequired[dict[Cohort, RequestCounts]]
    error: NotRequired[str]  # the log and HAProxy's counters differ: do not trust the numbers


def read_window(data: Any, at: str) -> MetricWindow:
    """Read one window; what a newer agent counts beside the cohorts is left out."""
    started_at = bounded.moment(data, "started_at", at)
    seconds, apart = data.get("seconds"), data.get("apart", {})
    numeric = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not numeric or not 0 < seconds <= LONGEST_SECONDS:
        raise bounded.fault(f"{at}/seconds", f"a number above 0, at most {LONGEST_SECONDS}")
    if not isinstance(apart, dict):
        raise bounded.fault(f"{at}/apart", "counts per cohort")
    counts = read_counts(data, at)
    window = MetricWindow(
        status_2xx=counts["status_2xx"],
        status_3xx=counts["status_3xx"],
        status_4xx=counts["status_4xx"],
        status_5xx=counts["status_5xx"],
        latency=counts["latency"],
        revision=bounded.text(data, "revision", at, 40),
        started_at=started_at,
        seconds=float(seconds),
        apart={c: read_counts(apart[c], f"{at}/apart/{c}") for c in COHORTS if c in apart},
        error=bounded.told(data, "error", at, 200),
    )
    if "first" in data:
        window["first"] = read_counts(data["first"], f"{at}/first")
    return window


def read_counts(data: Any, at: str) -> RequestCounts:
    """Read how requests were answered."""
    latency = data.get("latency", {}) if isinstance(data, dict) else None
    if not isinstance(latency, dict) or len(latency) > MAX_BUCKETS:
        raise bounded.fault(f"{at}/latency", "counts per upper bound")
    if not all(map(_BOUND.fullmatch, latency)):
        raise bounded.fault(f"{at}/latency", "counts per upper bound, a number or inf")
    return RequestCounts(
        status_2xx=bounded.whole(data, "status_2xx", at, MAX_COUNT),
        status_3xx=bounded.whole(data, "status_3xx", at, MAX_COUNT),
        status_4xx=bounded.whole(data, "status_4xx", at, MAX_COUNT),
        status_5xx=bounded.whole(data, "status_5xx", at, MAX_COUNT),
        latency={b: bounded.whole(latency, b, f"{at}/latency", MAX_COUNT) for b in latency},
    )
