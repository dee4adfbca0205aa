"""What the node does next: pure decisions over what is wanted and what is seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from placet_protocol.report import Phase
from placet_protocol.state import Wanted
from placet_verify.units import WHOLE

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds before a crashed replica is started again
QUICK_CRASHES = 3  # so many without having been ready: failed
FAILED_WAIT = 300.0  # seconds before a failed one is tried again: it may have been the host
LIVED_SECONDS = 20.0  # a replica that was ready for so long did not crash quickly
MOST_BESIDE = 400  # replicas and warm processes, beside which no further one is kept warm


@dataclass(frozen=True)
class ReplicaView:
    """One replica, as planning needs it."""

    id: str
    ready: bool
    current: bool  # started for what is wanted now; not for an older nonce
    stopping: bool = False


@dataclass(frozen=True)
class ReplicaPlan:
    """What to do about the replicas of one revision."""

    start: int = 0
    stop: tuple[str, ...] = ()


def plan_replicas(wanted: int, replicas: Sequence[ReplicaView]) -> ReplicaPlan:
    """Return what to start and stop so that ``wanted`` current replicas run.

    Outdated ones stay until as many new ones are ready: a restart never empties a revision.
    """
    alive = [r for r in replicas if not r.stopping]
    current = [r for r in alive if r.current]
    outdated = [r for r in alive if not r.current]
    surplus = sorted(current, key=lambda r: not r.ready)[wanted:]  # those not ready go first
    ready = sum(r.ready for r in current)
    stop = [r.id for r in surplus]
    if ready >= wanted:
        stop += [r.id for r in outdated]
    return ReplicaPlan(start=max(0, wanted - len(current)), stop=tuple(stop))


@dataclass(frozen=True)
class Share:
    """One revision of an endpoint, as routing needs it."""

    id: str
    weight: int
    ready: bool  # at least one replica takes requests
    may_serve: bool  # permitted, not recalled, wanted to run


def choose_weights(shares: Sequence[Share], before: Mapping[str, int]) -> dict[str, int]:
    """Return who gets how much of 10,000.

    A revision without a ready replica gets nothing; the others of weight take its part. While
    none of those of weight is ready, what served before goes on, as long as it may: a new
    revision takes over only when it can answer.
    """
    able = {s.id: s for s in shares if s.may_serve and s.ready}
    weighted = {s.id: s.weight for s in shares if s.weight > 0 and s.id in able}
    if not weighted:
        weighted = {r: w for r, w in before.items() if w > 0 and r in able}
    largest = sorted(weighted.items(), key=lambda item: -item[1])[:2]
    total = sum(weight for _, weight in largest)
    if not total:
        return {}
    if len(largest) == 1:
        return {largest[0][0]: WHOLE}
    smaller = largest[1][1] * WHOLE // total
    return {largest[0][0]: WHOLE - smaller, largest[1][0]: smaller}


def give_back(shares: Sequence[Share], stable: str) -> list[Share]:
    """Return the shares with all weight at ``stable``; as they are when that cannot answer.

    A revision whose guard tripped still answers something, where nothing else would.
    """
    if not any(s.id == stable and s.ready and s.may_serve for s in shares):
        return list(shares)
    return [replace(s, weight=WHOLE if s.id == stable else 0) for s in shares]


def arrange(weights: Mapping[str, int], stable: str) -> tuple[str, str, int]:
    """Return stable, candidate and the candidate's weight.

    ``stable`` is who is live by the state, else who was stable before: which of the two is the
    candidate must not hang on a node's memory, for units are drawn for the candidate.
    """
    if not weights:
        return "", "", 0
    names = sorted(weights, key=lambda name: -weights[name])
    first = stable if stable in weights else names[0]
    others = [name for name in names if name != first]
    return (first, others[0], weights[others[0]]) if others else (first, "", 0)


@dataclass(frozen=True)
class PhaseFacts:
    """All that decides the phase of a revision."""

    allowed: bool
    reason: str
    wanted: Wanted
    replicas: int  # wanted
    ready: int
    present: int  # replicas of any kind, those that stop included
    weight: int  # applied
    sessions: int  # under way
    prepared: bool
    failed: str  # why it cannot be prepared or started, if so
    note: str = ""  # what it waits for
    asleep: bool = False  # no replica answers, and the first request has one started


def phase_of(seen: PhaseFacts) -> tuple[Phase, str]:
    """Return the phase of a revision, and its sentence."""
    if not seen.allowed:
        return "refused", seen.reason
    if seen.wanted == "stop" or (seen.replicas == 0 and not seen.asleep):
        return ("drained", "stopping") if seen.present else ("stopped", "")
    if seen.wanted == "drain":
        idle = seen.weight == 0 and seen.sessions == 0
        waiting = "1 request is" if seen.sessions == 1 else f"{seen.sessions} requests are"
        note = "" if idle else f"{waiting} still under way"
        return ("drained", "") if idle else ("serving" if seen.weight else "ready", note)
    if seen.ready and seen.weight:
        return "serving", _shortage(seen)
    if seen.failed:
        return "failed", seen.failed
    if seen.asleep:
        return "asleep", seen.note
    if seen.ready >= seen.replicas:
        return "ready", ""
    if not seen.prepared:
        return "preparing", seen.note
    return "starting", seen.note or f"{seen.ready} of {seen.replicas} replicas are ready"


def _shortage(seen: PhaseFacts) -> str:
    """Say how many replicas are ready of what serves, and what keeps the others; '' where all
    are."""
    if seen.ready >= seen.replicas:
        return ""
    why = seen.failed or seen.note
    return f"{seen.ready} of {seen.replicas} replicas are ready{why and f': {why}'}"


@dataclass
class Crashes:
    """How often the replicas of one revision ended by themselves.

    Those that were started together count once: what strikes all of them at the same time, such
    as the holder or the host, is no row of crashes.
    """

    count: int = 0
    total: int = 0
    wave: int = 0  # how often some were started; 0: by an earlier agent
    counted: int = -1  # the newest wave of which one has crashed
    not_before: float = 0.0
    was_ready: bool = False
    detail: str = ""

    def begin(self) -> int:
        """Return the number of a wave that is started now."""
        self.wave += 1
        return self.wave

    def add(self, now: float, lived: float, detail: str, wave: int) -> None:
        """Count a crash and set the time before which nothing is started."""
        self.total += 1
        self.detail = detail
        if wave <= self.counted:
            return
        self.counted = wave
        if lived >= LIVED_SECONDS:
            self.count = 0
        self.count += 1
        wait = FAILED_WAIT if self.failed else min(FIRST_WAIT * 2 ** (self.count - 1), LONGEST_WAIT)
        self.not_before = now + wait

    def settle(self, lived: float) -> None:
        """Forgive, when all that is wanted has been ready for so long."""
        if lived >= LIVED_SECONDS:
            self.count = 0

    @property
    def failed(self) -> bool:
        """Whether it crashed again and again and was never ready: it is tried again seldom."""
        return self.count >= QUICK_CRASHES and not self.was_ready

    @property
    def sentence(self) -> str:
        """Return what to report, if it keeps crashing."""
        if self.count < QUICK_CRASHES:
            return ""
        return f"its replica ended {self.count} times in a row: {self.detail}"[:1900]

    def forget(self) -> None:
        """Start afresh: what is wanted has changed."""
        self.count, self.not_before, self.was_ready, self.detail = 0, 0.0, False, ""


@dataclass(frozen=True)
class HostMemory:
    """What a host has, in MB; nothing where that is not known."""

    total: int
    available: int


def room_for_warm(memory: HostMemory, most: int) -> bool:
    """Tell whether a warm process may be prepared whose limit is ``most`` MB: if it took all of
    that, a tenth of the host's memory would still be there for others."""
    return memory.total > 0 and memory.available - most >= memory.total // 10


def memory_is_short(memory: HostMemory) -> bool:
    """Tell whether warm processes have to go: less than a twentieth of the memory is there."""
    return memory.available < memory.total // 20


@dataclass
class Patience:
    """When the next warm process of a runtime may be prepared: later and later where they end
    without having been taken."""

    failures: int = 0
    not_before: float = 0.0

    def failed(self, now: float) -> None:
        """Wait twice as long as after the failure before."""
        self.failures += 1
        self.not_before = now + min(FIRST_WAIT * 2**self.failures, FAILED_WAIT)

    def forget(self) -> None:
        """One was taken: they are good for something."""
        self.failures, self.not_before = 0, 0.0
