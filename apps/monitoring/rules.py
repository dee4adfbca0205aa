"""Counting requests: sums of windows, and percentiles out of histograms. Standard library only."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Counts:
    """The requests of some stretch of time. ``latency`` counts per upper bound in milliseconds."""

    status_2xx: int = 0
    status_4xx: int = 0
    status_5xx: int = 0
    seconds: float = 0.0
    latency: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return self.status_2xx + self.status_4xx + self.status_5xx

    @property
    def error_rate(self) -> float | None:
        """The share of 5xx answers; ``None`` without requests, which is not the same as none."""
        return self.status_5xx / self.requests if self.requests else None

    def percentile(self, share: float) -> float | None:
        """Return the latency in milliseconds that ``share`` of the requests stayed below.

        Within a bucket requests are taken as evenly spread. What lies in the open-ended bucket
        is only known to be above the last bound, which is then the answer. ``None`` without
        requests.
        """
        buckets = sorted((bound(name), count) for name, count in self.latency.items())
        total = sum(count for _, count in buckets)
        if not total:
            return None
        wanted, seen, lower = share * total, 0, 0.0
        for upper, count in buckets:
            if count and seen + count >= wanted:
                if math.isinf(upper):
                    return lower
                return lower + (upper - lower) * max(0.0, wanted - seen) / count
            seen += count
            lower = lower if math.isinf(upper) else upper
        return lower


def bound(name: str) -> float:
    """Read the upper bound of a bucket."""
    return math.inf if name == "inf" else float(name)


def valid_latency(latency: Mapping[str, int]) -> bool:
    """Tell whether every bucket has a bound that is a number or ``inf``."""
    try:
        return all(bound(name) > 0 and count >= 0 for name, count in latency.items())
    except ValueError:
        return False


def total(parts: Iterable[Counts]) -> Counts:
    """Return the sum of ``parts``."""
    two = four = five = 0
    seconds, latency = 0.0, dict[str, int]()
    for part in parts:
        two, four, five = two + part.status_2xx, four + part.status_4xx, five + part.status_5xx
        seconds += part.seconds
        for name, count in part.latency.items():
            latency[name] = latency.get(name, 0) + count
    return Counts(two, four, five, seconds, latency)
