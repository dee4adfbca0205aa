"""Scales replicas by the requests in flight, within what was approved. See ``next_count``.

The rule is that of Kubernetes' horizontal pod autoscaler (kubernetes.io, "Horizontal Pod
Autoscaling", algorithm details): replicas in proportion to the load, up at once, and down to the
most that was needed within a window that has passed. Where none at all were approved, what had no
request for ``REST_SECONDS`` sleeps: it has no replica until somebody comes.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from placet_agent.haproxy.admin import AdminError, BackendCounters
from placet_protocol.state import DesiredEndpoint, DesiredRevision
from placet_verify.permit.scaling import Scaling
from placet_verify.units import WHOLE

LOOK_SECONDS = 0.25  # between two looks at what is in flight
MEAN_SECONDS = 4.0  # over which what is in flight is averaged
QUIET_SECONDS = 15.0  # for so long less must have been enough before there are fewer
REST_SECONDS = 60.0  # for so long there must have been no request before there is none


class LoadMemory:
    """What was in flight on one revision, and how many replicas that needed."""

    def __init__(self) -> None:
        self._in_flight = deque[tuple[float, int]]()
        self._needed = deque[tuple[float, int]]()
        self._since = 0.0  # since when it is looked at without a gap
        self._busy_at = 0.0  # when there was a request last, as far as anybody knows
        self._ended = 0

    def look(self, at: float, in_flight: int, target: int, ended: int = 0) -> None:
        """Remember one more look; ``target`` requests are what one replica is to have, ``ended``
        those that HAProxy has counted: another number tells of one between two looks."""
        _forget(self._in_flight, at - MEAN_SECONDS)
        _forget(self._needed, at - QUIET_SECONDS)
        if not self._in_flight:
            self._since = at
        if in_flight or ended != self._ended or self._since == at:
            self._busy_at, self._ended = at, ended
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

    def stir(self, at: float) -> None:
        """Count what has no replica yet as asked for: it is to answer before it may rest."""
        self._busy_at = at

    @property
    def rests(self) -> bool:
        """Whether there was no request for ``REST_SECONDS``."""
        return bool(self._needed) and self._needed[-1][0] - self._busy_at >= REST_SECONDS

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
    time moves nothing. None at all only when there was no request for ``REST_SECONDS``. Never fewer
    than ``least`` nor more than were approved.
    """
    wanted = max(count, memory.now or 0)
    if shrinks and memory.lately is not None:
        wanted = min(wanted, memory.lately)
    if count and not wanted and not memory.rests:
        wanted = 1
    return min(scaling.most, max(least, wanted))


@dataclass
class ScaledRevision:
    """What a node remembers of a revision that it scales."""

    count: int
    least: int = 0
    memory: LoadMemory = field(default_factory=LoadMemory)
    live: bool = False

    def turn(self, *, live: bool) -> None:
        """Be live, or not any more: what was remembered was of other requests."""
        if live != self.live:
            self.memory, self.live = LoadMemory(), live


class Scaler:
    """How many replicas each scaled revision of this node is to have."""

    def __init__(
        self,
        loads: Callable[[Collection[str]], Mapping[str, BackendCounters]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``loads`` tells how many requests some revisions have, waiting ones included."""
        self._loads, self._clock = loads, clock
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

    def is_awake(self, revision: str) -> bool:
        """Tell whether a revision is to have a replica."""
        return (scaled := self._scaled.get(revision)) is None or scaled.count > 0

    def wake(self, revision: str) -> None:
        """Have a revision that sleeps have a replica: somebody came."""
        if (scaled := self._scaled.get(revision)) and not scaled.count:
            self._scaled[revision] = ScaledRevision(1, scaled.least)

    def follow(
        self,
        endpoints: Iterable[DesiredEndpoint],
        scalings: Mapping[str, Scaling],
        running: Callable[[str], int | None],
        answers: Callable[[str], bool] = lambda revision: True,
    ) -> None:
        """Decide again, for what may run and is to be scaled. ``running`` counts what runs;
        ``None``: nothing, for it was left asleep. ``answers``: whether any of that takes requests.

        What is live is scaled by all requests of its endpoint: while a candidate has some of them,
        all may come back at any moment. The others are never scaled down: one is on its way up,
        and one that was live may have to take all requests again. A candidate has of what is live
        at least its share of the requests. While another has requests or is tried nothing sleeps.
        """
        now, scaled, endpoints = self._clock(), dict[str, ScaledRevision](), list(endpoints)
        seen = self._look(now, self._counted(endpoints, scalings))
        for endpoint in endpoints:
            beside = 0  # replicas of what is live, which comes first
            for revision in sorted(endpoint.revisions, key=lambda r: r.id != endpoint.stable):
                live = revision.id == endpoint.stable
                if (scaling := scalings.get(revision.id)) is None:
                    beside = revision.replicas if live else beside
                    continue
                one = self._scaled.get(revision.id) or _begun(revision, running(revision.id))
                one.turn(live=live)
                if seen is not None and one.count:
                    counted = endpoint.revisions if live else (revision,)
                    found = [seen[r.id] for r in counted if r.id in seen]
                    in_flight, ended = sum(c.current for c in found), sum(c.total for c in found)
                    one.memory.look(now, in_flight, scaling.target, ended)
                if not answers(revision.id):
                    one.memory.stir(now)
                share = -(-beside * revision.weight // WHOLE)
                one.least = scaling.least if live else revision.replicas
                least = max(one.least, share, int(not is_alone(endpoint)))
                one.count = next_count(one.count, scaling, one.memory, least=least, shrinks=live)
                beside = one.count if live else beside
                scaled[revision.id] = one
        self._scaled = scaled

    def _counted(
        self, endpoints: Iterable[DesiredEndpoint], scalings: Mapping[str, Scaling]
    ) -> set[str]:
        """Return the revisions whose requests decide; those of what sleeps do not."""
        counted = set[str]()
        for endpoint in endpoints:
            for revision in endpoint.revisions:
                one = self._scaled.get(revision.id)
                if revision.id in scalings and (one is None or one.count):
                    live = revision.id == endpoint.stable
                    counted |= {r.id for r in endpoint.revisions} if live else {revision.id}
        return counted

    def _look(self, now: float, revisions: Collection[str]) -> Mapping[str, BackendCounters] | None:
        """Return what is in flight, when it is time to look and HAProxy tells it."""
        if now < self._due or not revisions:
            return None
        self._due = max(self._due, now - LOOK_SECONDS) + LOOK_SECONDS
        try:
            return self._loads(revisions)
        except AdminError:  # as it was: nothing is known of now
            return None


def _begun(revision: DesiredRevision, running: int | None) -> ScaledRevision:
    return ScaledRevision(0 if running is None else running or revision.replicas)


def is_alone(endpoint: DesiredEndpoint) -> bool:
    """Tell whether nothing but what is live gets requests, a tester's and copies included."""
    others = (r for r in endpoint.revisions if r.id != endpoint.stable)
    return not any(r.weight or r.header_route or r.mirror for r in others)
