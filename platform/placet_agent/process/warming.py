"""Keeps one warm process for each runtime that is in use here, as long as memory allows.

Only the loop's thread comes here; what takes time, a start and an end, is done by threads that
hand over what came of it. None outlives its agent: it ends when the agent's side of its socket is
closed, and the next agent ends what does not, by its mark.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from placet_agent import rules
from placet_agent.downloads.bentos import BentoRefused
from placet_agent.downloads.pythons import NoInterpreter
from placet_agent.process import outputs, sandbox
from placet_agent.process.replica import Replica, ReplicaRecord, share_of_cores
from placet_agent.process.taking import Taker
from placet_agent.process.warm import (
    WARM_SECONDS,
    NotTaken,
    Shape,
    WarmProcess,
    fits,
    nobodys,
    shape_of,
)

log = logging.getLogger(__name__)

MEMORY_EVERY = 1.0  # seconds between two looks at the host's memory
SAID = 300  # characters of its output, that the agent's log has when one is ended
UNSETTLED_SECONDS = 30.0  # for which nothing is prepared beside a replica that starts


@dataclass(frozen=True)
class Wanted:
    """What a warm process of one runtime is to be like: as the replica that was begun last."""

    shape: Shape
    record: ReplicaRecord  # of that replica, for its limits
    most: int  # replicas of its revision that there may be

    def now(self, replicas: Iterable[Replica]) -> Shape:
        """Return the shape that a further replica like it would have beside these: others may have
        come and gone since, and with them its share of the cores."""
        records = [replica.record for replica in replicas if not replica.stopping]
        most = max(self.most, sum(r.revision == self.record.revision for r in records))
        return replace(self.shape, threads=share_of_cores(records, self.record.endpoint, most))


class Warming:
    """The warm processes of this node."""

    def __init__(self, taker: Taker, wake: Callable[[], None], *, on: bool = True) -> None:
        self._taker, self._wake, self._on = taker, wake, on
        self._wanted: dict[str, Wanted] = {}  # by runtime
        self._held: dict[str, ReplicaRecord] = {}  # by name: all that are, in whatever state
        self._shapes: dict[str, Shape] = {}  # by runtime: what they are to be like now
        self._waiting: dict[str, WarmProcess] = {}  # by runtime
        self._busy: set[str] = set()  # runtimes of which one is being started
        self._patience: dict[str, rules.Patience] = {}
        self._memory, self._looked = rules.HostMemory(0, 0), 0.0
        self._lock = threading.Lock()

    # --- for the loop ------------------------------------------------------------------------

    @property
    def ready(self) -> int:
        """How many wait to be taken."""
        return sum(warm.ready for warm in list(self._waiting.values()))

    @property
    def uids(self) -> set[int]:
        """The users that they are."""
        return {r.uid for r in list(self._held.values()) if r.uid is not None}

    @property
    def names(self) -> set[str]:
        """Their names, which are those of replicas to be."""
        return set(self._held)

    @property
    def runtimes(self) -> set[str]:
        """The runtimes that they hold."""
        return {record.runtime_digest for record in list(self._held.values())}

    def remember(self, record: ReplicaRecord, most: int = 1) -> Shape | None:
        """Learn what a replica that runs or is begun is like: so is the next warm process."""
        try:
            shape = shape_of(record, self._taker.starter.bentos.facts(record.bento_digest))
        except (BentoRefused, OSError):
            return None
        if self._on and shape is not None:
            self._wanted[record.runtime_digest] = Wanted(shape, record, most)
        return shape

    def claim(self, record: ReplicaRecord, most: int) -> WarmProcess | None:
        """Give the warm process that can be this replica, which nobody else gets, and its name."""
        shape, home = self.remember(record, most), None
        warm = self._waiting.get(record.runtime_digest)
        if warm is None or shape is None:
            return None
        with suppress(NoInterpreter, OSError):
            home = self._taker.home_of(shape)
        if not (fits(warm, shape, record.variables, home) and warm.alive):
            return None
        del self._waiting[record.runtime_digest]
        del self._held[warm.id]
        record.id, record.uid = warm.id, warm.record.uid
        return warm

    def take(self, replica: Replica) -> bool:
        """Have a replica be the warm process that it claimed; tell whether it is. See ``Taker``.

        Called by the thread that would start the replica.
        """
        if replica.warm is None:
            return False
        taken = self._taker.take(replica)
        self._settle(replica.record.runtime_digest, taken=taken)
        return taken

    def _settle(self, runtime: str, *, taken: bool) -> None:
        with self._lock:
            patience = self._patience.setdefault(runtime, rules.Patience())
            if taken:
                patience.forget()
            else:
                patience.failed(time.monotonic())

    def follow(self, in_use: Collection[str], replicas: Iterable[Replica]) -> None:
        """Have one of each runtime ``in_use`` and of no other, beside these replicas."""
        if not self._on:
            return
        now, replicas = time.monotonic(), list(replicas)
        if now - self._looked >= MEMORY_EVERY:
            self._memory, self._looked = host_memory(), now
        self._wanted = {name: one for name, one in self._wanted.items() if name in in_use}
        with self._lock:
            self._patience = {name: one for name, one in self._patience.items() if name in in_use}
        settled = self._settled(replicas)
        if settled:
            self._shapes = {name: one.now(replicas) for name, one in self._wanted.items()}
        for runtime, warm in list(self._waiting.items()):
            if why := self._why_not(warm, runtime in in_use, now):
                self._drop(warm, why)
        for runtime, wanted in self._wanted.items() if settled else ():
            self._prepare(wanted, self._shapes[runtime], replicas, now)

    def close(self) -> None:
        """End all of them."""
        self._on = False
        for warm in list(self._waiting.values()):
            warm.end()

    # --- one of them -------------------------------------------------------------------------

    def _why_not(self, warm: WarmProcess, used: bool, now: float) -> str:
        """Say why one is to end; '' where it goes on."""
        if not used:
            return "its runtime is not used any more"
        if rules.memory_is_short(self._memory):
            return "memory is short"
        if self._shapes.get(warm.shape.runtime_digest, warm.shape) != warm.shape:
            return "another kind is wanted"
        try:
            warm.listen()
            if not warm.alive:
                raise NotTaken("it ended by itself")
            if not warm.ready and now - warm.began > WARM_SECONDS:
                raise NotTaken(f"it was not ready within {WARM_SECONDS:.0f} s")
        except (NotTaken, OSError) as fault:
            self._settle(warm.shape.runtime_digest, taken=False)
            return str(fault)
        return ""

    def _drop(self, warm: WarmProcess, why: str) -> None:
        said = outputs.tail(self._taker.starter.log_path(warm.id))[-SAID:]
        log.info("warm process %s is ended: %s: %s", warm.id, why, said or "no output")
        del self._waiting[warm.shape.runtime_digest]
        self._thread(self._end, warm)

    def _end(self, warm: WarmProcess) -> None:
        try:
            self._taker.end(warm)
        finally:
            self._forget(warm.record)

    def _forget(self, record: ReplicaRecord) -> None:
        """Its output goes too: of outputs few are kept, and those of replicas count more."""
        self._taker.starter.log_path(record.id).unlink(missing_ok=True)
        self._held.pop(record.id, None)

    def _settled(self, replicas: Iterable[Replica]) -> bool:
        """Whether no replica is starting: those come first."""
        since = time.monotonic() - UNSETTLED_SECONDS
        starting = (r for r in replicas if not (r.record.ready or r.stopping or r.failure))
        return all(replica.since < since for replica in starting)

    def _prepare(self, wanted: Wanted, shape: Shape, replicas: list[Replica], now: float) -> None:
        runtime = shape.runtime_digest
        with self._lock:
            patience = self._patience.setdefault(runtime, rules.Patience())
        if (
            runtime in self._waiting
            or runtime in self._busy
            or now < patience.not_before
            or not rules.room_for_warm(self._memory, wanted.record.memory_mb)
            or len(replicas) + len(self._held) >= rules.MOST_BESIDE
        ):
            return
        uids = {r.record.uid for r in replicas if r.record.uid is not None} | self.uids
        try:
            record = nobodys(wanted.record, shape, sandbox.free_uid(uids))
        except RuntimeError:  # those that there are, replicas need
            return
        self._held[record.id] = record
        self._busy.add(runtime)
        self._thread(self._start, record, shape)

    def _start(self, record: ReplicaRecord, shape: Shape) -> None:
        runtime = shape.runtime_digest
        try:
            warm = self._taker.warm_up(record, shape)
            if self._on:
                self._waiting[runtime] = warm
            else:
                self._end(warm)
        except Exception as error:
            log.warning("no warm process starts: %s", error)
            self._settle(runtime, taken=False)
            self._taker.starter.clear(record.id)
            self._forget(record)
        finally:
            self._busy.discard(runtime)
            self._wake()

    def _thread(self, work: Callable[..., None], *words: object) -> None:
        threading.Thread(target=work, args=words, name="warm", daemon=True).start()


def host_memory() -> rules.HostMemory:
    """Return what the kernel says of this host's memory; where it says nothing there is none."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        words = (line.replace(":", "").split() for line in lines)
        named = {word[0]: int(word[1]) >> 10 for word in words}
        return rules.HostMemory(named["MemTotal"], named["MemAvailable"])
    except (OSError, KeyError, ValueError, IndexError):
        return rules.HostMemory(0, 0)
