"""Between how many replicas a node may scale a revision by its load, and to what.

Standard library only, read by plan, permit and agent; the verifier in JavaScript has a twin. A
configuration without ``target_inflight`` has the replicas that it or an operator says. One that has
none at least sleeps when nobody calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from placet_verify.numbers import is_whole

MOST_INFLIGHT = 1000


@dataclass(frozen=True, slots=True)
class Scaling:
    """The bounds of one node, and the requests in flight that each replica is to have."""

    least: int
    most: int
    target: int

    @property
    def sleeps(self) -> bool:
        """Whether there is no replica while nobody calls."""
        return self.least == 0

    def __str__(self) -> str:
        requests = "1 request" if self.target == 1 else f"{self.target} requests"
        most = f"{self.most} replica{'s' * (self.most != 1)}"
        said = f"{self.least} to {most}, for {requests} in flight each"
        return f"{said}; it sleeps when nobody calls" if self.sleeps else said


def scaling_faults(serving: Mapping[str, Any], replicas: int) -> list[tuple[str, str]]:
    """Return what is wrong with the members that say how it scales, each with its member.

    ``replicas`` are those that it starts with.
    """
    faults = []
    if "target_inflight" not in serving:
        if "min_replicas" in serving:
            faults.append(("min_replicas", "needs target_inflight: without it nothing is scaled"))
        return faults
    if not is_whole(serving["target_inflight"], 1, MOST_INFLIGHT):
        faults.append(("target_inflight", f"must be a whole number from 1 to {MOST_INFLIGHT}"))
    if not is_whole(serving.get("min_replicas", replicas), 0, replicas):
        faults.append(("min_replicas", f"must be a whole number from 0 to {replicas}"))
    return faults


def scaling_of(serving: Mapping[str, Any]) -> Scaling | None:
    """Return how a configuration that may run is scaled; ``None``: not by its load."""
    if "egress" not in serving or "target_inflight" not in serving:
        return None
    replicas = serving.get("replicas", 1)
    return Scaling(
        least=serving.get("min_replicas", replicas),
        most=serving.get("max_replicas", replicas),
        target=serving["target_inflight"],
    )
