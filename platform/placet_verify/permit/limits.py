"""What a release may ask for of the time, the places and the rate of its requests.

Standard library only, read by plan, permit and agent; the verifier in JavaScript has a twin. No
bound is wider than what holds where nothing is said: a configuration can only ask for less.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from placet_verify.numbers import is_whole

BOUNDS = {
    "request_seconds": (1, 120),
    "in_flight": (1, 1000),
    "queue": (0, 1000),
    "queue_seconds": (1, 30),
    "rate": (1, 10_000),
}
WORDS = {
    "request_seconds": "an answer within {} s",
    "in_flight": "{} at once per replica",
    "queue": "{} may wait",
    "queue_seconds": "no longer than {} s",
    "rate": "{} a second per caller",
}
OF_THE_QUEUE = ("queue", "queue_seconds")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one revision; ``None``: what always holds."""

    request_seconds: int | None = None  # until a replica begins its answer
    in_flight: int | None = None  # requests that one replica has at once
    queue: int | None = None  # requests that wait for a replica
    queue_seconds: int | None = None  # how long each of them waits at most
    rate: int | None = None  # requests a second of one key, or of one address where none is needed

    @property
    def document(self) -> dict[str, int]:
        """The member as a configuration has it."""
        said = {name: getattr(self, name) for name in BOUNDS}
        return {name: value for name, value in said.items() if value is not None}

    def __str__(self) -> str:
        return ", ".join(WORDS[name].format(value) for name, value in self.document.items())


def limits_faults(value: object, *, sleeps: bool) -> list[tuple[str, str]]:
    """Return what is wrong with ``limits``, each with its member; '' is the whole. ``sleeps``: it
    may have no replica, so that requests wait for one."""
    if not isinstance(value, dict) or not value:
        return [("", f"must be an object with some of {', '.join(BOUNDS)}")]
    faults = []
    for name in sorted(value, key=str):
        if name not in BOUNDS:
            faults.append((str(name)[:60], f"is none of {', '.join(BOUNDS)}"))
        elif not is_whole(value[name], *BOUNDS[name]):
            low, high = BOUNDS[name]
            faults.append((name, f"must be a whole number from {low} to {high}"))
        elif name in OF_THE_QUEUE and "in_flight" not in value and not sleeps:
            faults.append((name, "needs in_flight: without it no request waits"))
    return faults


def limits_of(serving: Mapping[str, Any]) -> Limits | None:
    """Return the limits of a configuration that may run; ``None`` where it has none."""
    return Limits(**serving["limits"]) if "egress" in serving and "limits" in serving else None
