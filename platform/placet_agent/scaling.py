"""Scales replicas by the requests in flight, within what was approved. See ``next_count``.

The rule is that of Kubernetes' horizontal pod autoscaler (kubernetes.io, "Horizontal Pod
Autoscaling", algorithm details): replicas in proportion to the load, up at once, and down to the
most that was needed within a window that has passed.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from placet_agent.haproxy.admin import AdminError
from placet_protocol.state import DesiredEndpoint, DesiredRevision
from placet_verify.permit.scaling import Scaling
from placet_verify.units import WHOLE

LOOK_SECONDS = 0.25  # between two looks at what is in flight
MEAN_SECONDS = 4.0  # over which what is in flight is averaged
QUIET_SECONDS = 15.0  # for so long less must have been enough before there are fewer


class LoadMemory:
    """What was in flight on one revision, and how many replicas that needed."""

    def __init__(self) -> None:
        self._in_flight = deque[tuple[float, int]]()
        self._needed = deque[tuple[float, int]]()
        self._since = 0.0  # since when it is looked at without a gap

    def look(self, at: float, in_flight: int, target: int) -> None:
        """Remember one more look; ``target`` requests are what one replica is to have."""
        _forget(self._in_flight, at - MEAN_SECONDS)
        _forget(self._needed, at - QUIET_SECONDS)
        if not self._in_flight:
            self._since = at
        self._in_flight.append((at, in_flight))
        looks, total = len(self._in_flight), sum(count for _, count in self._in_flight)
        self._needed.append((at, -(-total // (target * looks))))

    @property
    def now(self) -> int | None:
        """How many replicas the mean of the last seconds needs; ``None`` before these are over."""
        return self._needed[-1][1] if self._seconds >= MEAN_SECONDS else None

    @property
    def lately(self) -> int | None:
        """The most that were needed within ``QUIET_SECONDS``; ``None`` before these are over."""
        return max(count for _, count in self._needed) if self._seconds >= QUIET_SECONDS else None

    @property
    def _seconds(self) -> float:
        return self._needed[-1][0] - self._since if self._needed else 0.0


def _forget(looks: deque[tuple[float, int]], before: float) -> None:
    while looks and looks[0][0] < before:
        looks.popleft()


def next_count(
    count: int, scaling: Scaling, memory: LoadMemory, *, least: int, shrinks: bool
) -> int:
    """Return how many replicas there are to be where there are ``count``.

    More at once when the mean of the last seconds needs more. Fewer, where it ``shrinks``, when
    less was enough at every look of ``QUIET_SECONDS``: so a load that goes up and down within that
    time moves nothing. Never fewer than ``least`` nor more than were approved.
    """
    wanted = max(count, memory.now or 0)
    if shrinks and memory.lately is not None:
        wanted = min(wanted, memory.lately)
    return min(scaling.most, max(least, wanted))


@dataclass
class ScaledRevision:
    """What a node remembers of a revision that it scales."""

    count: int
    least: int = 0
    memory: LoadMemory = field(default_factory=LoadMemory)


class Scaler:
    """How many replicas each scaled revision of this node is to have."""

    def __init__(
        self,
        in_flight: Callable[[], Mapping[str, int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``in_flight`` tells how many requests each revision has, waiting ones included."""
        self._in_flight, self._clock = in_flight, clock
        self._scaled: dict[str, ScaledRevision] = {}
        self._due = 0.0  # when to look again

    def count(self, revision: DesiredRevision) -> int:
        """Return how many replicas of a revision there are to be."""
        scaled = self._scaled.get(revision.id)
        return scaled.count if scaled else revision.replicas

    def least(self, revision: DesiredRevision) -> int:
        """Return how many replicas a revision needs to be as it is wanted."""
        scaled = self._scaled.get(revision.id)
        return scaled.least if scaled else revision.replicas

    def follow(
        self,
        endpoints: Iterable[DesiredEndpoint],
        scalings: Mapping[str, Scaling],
        running: Callable[[str], int],
    ) -> None:
        """Decide again, for what may run and is to be scaled. ``running`` counts what runs.

        What is live is scaled by all requests of its endpoint: while a candidate has some of them,
        all may come back at any moment. The others are never scaled down: one is on its way up,
        and one that was live may have to take all requests again. A candidate has of what is live
        at least its share of the requests.
        """
        now, scaled = self._clock(), dict[str, ScaledRevision]()
        seen = self._look(now) if scalings else None
        for endpoint in endpoints:
            beside = 0  # replicas of what is live, which comes first
            for revision in sorted(endpoint.revisions, key=lambda r: r.id != endpoint.stable):
                live = revision.id == endpoint.stable
                if (scaling := scalings.get(revision.id)) is None:
                    beside = revision.replicas if live else beside
                    continue
                one = self._scaled.get(revision.id)
                one = one or ScaledRevision(running(revision.id) or revision.replicas)
                if seen is not None:
                    counted = endpoint.revisions if live else (revision,)
                    in_flight = sum(seen.get(r.id, 0) for r in counted)
                    one.memory.look(now, in_flight, scaling.target)
                share = -(-beside * revision.weight // WHOLE)
                one.least = scaling.least if live else revision.replicas
                least = max(one.least, share)
                one.count = next_count(one.count, scaling, one.memory, least=least, shrinks=live)
                beside = one.count if live else beside
                scaled[revision.id] = one
        self._scaled = scaled

    def _look(self, now: float) -> Mapping[str, int] | None:
        """Return what is in flight, when it is time to look and HAProxy tells it."""
        if now < self._due:
            return None
        self._due = max(self._due, now - LOOK_SECONDS) + LOOK_SECONDS
        try:
            return self._in_flight()
        except AdminError:  # as it was: nothing is known of now
            return None
