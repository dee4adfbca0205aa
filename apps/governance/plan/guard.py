"""The guard of a plan: when a node takes the requests back from the new revision by itself.

::

    {"guard": {
        "consecutive_failures": 10,
        "error_rate": {"at_most": 0.25, "window_seconds": 60, "minimum_requests": 50},
        "latency": {"quantile": 0.95, "at_most_ms": 2000,
                    "window_seconds": 60, "minimum_requests": 50}}}

Each rule is optional. They are a brake for what is plainly broken, with the fixed bounds within
which a node reads them, and work without the platform; small differences to stable are for an
analysis to find.
"""

from typing import Annotated

from apps.governance.parts import Omittable, Part, must, share, whole
from placet_protocol import guard as node
from placet_protocol.guard import GuardEntry

# What a canary has unless its plan says otherwise. No latency: there is no bound for every model.
CAREFUL: GuardEntry = {
    "consecutive_failures": 10,
    "error_rate": {"at_most": 0.25, "window_seconds": 60, "minimum_requests": 50},
}


class ErrorRateLimit(Part):
    """At most this share of the answers in the window are server errors."""

    EXPECTED = "must have at_most, window_seconds, minimum_requests"
    at_most: Annotated[float, share(*node.ERROR_SHARE)] = must()
    window_seconds: Annotated[int, whole(*node.WINDOW_SECONDS)] = 60
    minimum_requests: Annotated[int, whole(*node.MINIMUM_REQUESTS)] = 50


class LatencyLimit(Part):
    """At least this share of the answers in the window took at most so long."""

    EXPECTED = "must have quantile, at_most_ms, window_seconds, minimum_requests"
    quantile: Annotated[float, share(*node.QUANTILE)] = must()
    at_most_ms: Annotated[int, whole(*node.AT_MOST_MS)] = must()
    window_seconds: Annotated[int, whole(*node.WINDOW_SECONDS)] = 60
    minimum_requests: Annotated[int, whole(*node.MINIMUM_REQUESTS)] = 50


class Guard(Part):
    """The rules of a revision that is tried out."""

    EXPECTED = 'must be rules: {"consecutive_failures": 10}, or {} for none'
    UNKNOWN = f"must be one of: {', '.join(node.GUARD_RULES)}"
    consecutive_failures: Annotated[int | None, whole(*node.FAILURES)] = None
    error_rate: Annotated[ErrorRateLimit | None, Omittable()] = None
    latency: Annotated[LatencyLimit | None, Omittable()] = None
