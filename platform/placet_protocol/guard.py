"""The guard of a revision: by which rules a node takes the requests back from it by itself."""

from dataclasses import dataclass
from typing import Final, Literal, TypedDict, get_args

from placet_protocol.fields import ProtocolError, member, whole

GuardRule = Literal["consecutive_failures", "error_rate", "latency"]
GUARD_RULES: Final[tuple[GuardRule, ...]] = get_args(GuardRule)


class ErrorRateRule(TypedDict):
    """At most this share of the answers in the window are server errors."""

    at_most: float
    window_seconds: int
    minimum_requests: int


class LatencyRule(TypedDict):
    """At least this share of the answers in the window took at most so long."""

    quantile: float
    at_most_ms: int
    window_seconds: int
    minimum_requests: int


class GuardEntry(TypedDict, total=False):
    """When a node takes the requests back from a revision that is tried out, as a state says it."""

    consecutive_failures: int
    error_rate: ErrorRateRule
    latency: LatencyRule


@dataclass(frozen=True)
class ErrorRate:
    """An ``ErrorRateRule``, read."""

    at_most: float
    window_seconds: int
    minimum_requests: int


@dataclass(frozen=True)
class Latency:
    """A ``LatencyRule``, read."""

    quantile: float
    at_most_ms: int
    window_seconds: int
    minimum_requests: int


@dataclass(frozen=True)
class Guard:
    """The rules of one revision; what is ``None`` is not looked at."""

    consecutive_failures: int | None = None
    error_rate: ErrorRate | None = None
    latency: Latency | None = None

    @property
    def longest(self) -> int:
        """The seconds that must be remembered."""
        return max(r.window_seconds if r else 0 for r in (self.error_rate, self.latency))


def _share(data: object, key: str) -> float:
    value = data.get(key) if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ProtocolError(f"{key!r} is {value!r}, not a share above 0")
    return float(value)


def read_guard(data: object) -> Guard | None:
    """Return the rules by which the node takes requests back; one it does not know is refused."""
    found = data.get("guard") if isinstance(data, dict) else None
    if found is None:
        return None
    if unknown := set(member({"guard": found}, "guard", dict)) - set(Guard.__dataclass_fields__):
        raise ProtocolError(f"this agent knows no guard {sorted(unknown)[0]!r}")
    rate, latency = found.get("error_rate"), found.get("latency")
    row = "consecutive_failures" in found
    return Guard(
        consecutive_failures=whole(found, "consecutive_failures", 1, 1 << 20) if row else None,
        error_rate=None if rate is None else ErrorRate(_share(rate, "at_most"), *_window(rate)),
        latency=None
        if latency is None
        else Latency(
            _share(latency, "quantile"),
            whole(latency, "at_most_ms", 1, 1 << 20),
            *_window(latency),
        ),
    )


def _window(data: object) -> tuple[int, int]:
    seconds = whole(data, "window_seconds", 1, 3600)
    return seconds, whole(data, "minimum_requests", 1, 1 << 30)
