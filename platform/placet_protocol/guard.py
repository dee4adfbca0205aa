"""The guard of a revision: by which rules a node takes the requests back from it by itself."""

from dataclasses import dataclass
from typing import Final, Literal, TypedDict, get_args

from placet_protocol.fields import ProtocolError, member, whole
from placet_verify.numbers import is_number

GuardRule = Literal["consecutive_failures", "error_rate", "latency"]
GUARD_RULES: Final[tuple[GuardRule, ...]] = get_args(GuardRule)
# From and to, both of them included: what a plan may ask for is what a node keeps.
FAILURES: Final = (2, 1000)
WINDOW_SECONDS: Final = (5, 600)
MINIMUM_REQUESTS: Final = (5, 1_000_000)
AT_MOST_MS: Final = (5, 120_000)
ERROR_SHARE: Final = (0.001, 0.9)
QUANTILE: Final = (0.5, 0.999)


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


def _share(data: object, key: str, low: float, high: float) -> float:
    value = data.get(key) if isinstance(data, dict) else None
    if is_number(value, low, high):
        return float(value)
    raise ProtocolError(f"{key!r} is {str(value)[:40]}, not a share from {low} to {high}")


def read_guard(data: object) -> Guard | None:
    """Return the rules by which the node takes requests back; one it does not know is refused."""
    members = data.get("guard") if isinstance(data, dict) else None
    if members is None:
        return None
    if unknown := set(member({"guard": members}, "guard", dict)) - set(Guard.__dataclass_fields__):
        raise ProtocolError(f"this agent knows no guard {sorted(unknown)[0][:40]!r}")
    row = "consecutive_failures" in members
    return Guard(
        consecutive_failures=whole(members, "consecutive_failures", *FAILURES) if row else None,
        error_rate=_error_rate(members["error_rate"]) if "error_rate" in members else None,
        latency=_latency(members["latency"]) if "latency" in members else None,
    )


def _error_rate(data: object) -> ErrorRate:
    return ErrorRate(_share(data, "at_most", *ERROR_SHARE), *_window(data))


def _latency(data: object) -> Latency:
    bound = whole(data, "at_most_ms", *AT_MOST_MS)
    return Latency(_share(data, "quantile", *QUANTILE), bound, *_window(data))


def _window(data: object) -> tuple[int, int]:
    seconds = whole(data, "window_seconds", *WINDOW_SECONDS)
    return seconds, whole(data, "minimum_requests", *MINIMUM_REQUESTS)
