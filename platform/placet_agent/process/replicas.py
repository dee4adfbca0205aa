"""Replicas: processes that serve and outlive the agent, known by pid and start time.

A replica's record is on disk before its process exists, and names a marker that stands in the
environment of everything it starts; an agent that died in between finds and ends what it left.
"""

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from uuid import uuid4

from placet_agent.downloads.bentos import BentoFolder
from placet_agent.downloads.runtimes import RuntimeFolder
from placet_agent.faults import crash_point
from placet_agent.inside import NOT_ON_A_SOCKET
from placet_agent.observed import egress_counts
from placet_agent.process import limits, outputs, owners, procs, sandbox, strays
from placet_agent.process.procs import ProcessRef
from placet_agent.process.replica import (
    OWN_PORT,
    Replica,
    ReplicaRecord,
    ask,
    free_port,
    share_of_cores,
)
from placet_agent.process.starting import Program, Starter, bento_program
from placet_agent.process.taking import Taker
from placet_agent.process.warming import Warming
from placet_agent.state import files
from placet_protocol.node_secrets import SecretPlace
from placet_protocol.report import EgressCount
from placet_protocol.state import DesiredRevision

log = logging.getLogger(__name__)

PROBE_EVERY = 0.05
CHECK_EVERY = 5.0  # seconds between two looks at a replica that is ready
CHECK_TIMEOUT = 5.0
CHECKS = 3  # so many without an answer in a row: it hangs
EGRESS_EVERY = 5.0  # seconds between two looks at what was reached
LINKS_EVERY = 1.0  # seconds between two looks at what leads to a replica that starts
START_SECONDS = 1800.0  # a start that takes longer is given up, and counts as a crash
TERM_SECONDS = 5.0


class Replicas:
    """All replicas of this node."""

    def __init__(
        self,
        home: Path,
        bentos: BentoFolder,
        runtimes: RuntimeFolder,
        wake: Callable[[], None],
        program: Program = bento_program,
        *,
        shared: bool = False,
        warm: bool = False,
    ) -> None:
        self.folder = home / "replicas"
        self.bentos = bentos
        self.starter = Starter(home, bentos, runtimes, program, shared=shared, wake=wake)
        self.warming = Warming(Taker(self.starter), wake, on=warm)
        self.logs = self.starter.logs
        self.wake = wake
        self.all: dict[str, Replica] = {}
        self._reached: dict[str, tuple[float, list[EgressCount]]] = {}  # when it was looked at
        self._closed = threading.Event()

    def close(self) -> None:
        """Look after replicas no longer; they go on, and what is warm for nobody ends."""
        self._closed.set()
        self.warming.close()
        self.starter.doors.stop()

    # --- start -------------------------------------------------------------------------------

    def adopt(self, *, probe: bool = True) -> None:
        """Take over the replicas that an earlier agent started; end what it left half-started, and
        what has no record any more: of that nobody could say that it runs, or that it does not.
        """
        self.starter.doors.adopt(self._lives)
        for path in sorted(self.folder.glob("*.json")):
            try:
                record = ReplicaRecord.from_json(files.read_json(path) or {})
            except (TypeError, ValueError) as error:  # cut short: it was never flushed to disk
                log.warning("the record %s cannot be read: %s", path.name, error)
                strays.end(path.stem)
                path.unlink()
                continue
            if record.boot and record.boot != procs.boot():  # whoever has these pids now is another
                record.outer = record.inner = record.relay = record.link = None
            replica = Replica(record, path, self.starter.socket(record.id))
            replica.launched.set()
            self.all[replica.id] = replica
            if not replica.refs:
                strays.end(replica.id)
                self.discard(replica)
            elif replica.alive:
                log.info("adopted replica %s (%s)", replica.id, record.kept)
                self.warming.remember(record)
                if replica.record.ready:
                    replica.ready_at = time.monotonic()
                if probe:
                    self._thread(self._look_after, replica)
            else:  # while no agent looked: that the host was started anew, say, is no crash of it
                replica.begin_stop()
        ended = strays.end_others(self.logs, self.all)
        self.starter.forget_others(set(self.all), ended)

    def _lives(self, name: str) -> bool:
        """Tell of the record of a replica whether it runs."""
        record = files.read_hint(self.folder / f"{name}.json") or {}
        pairs = [record.get("inner"), record.get("outer")]
        same = record.get("boot", "") == procs.boot()
        return same and any(ProcessRef(*pair).alive for pair in pairs if pair)

    def start(
        self,
        endpoint: str,
        revision: DesiredRevision,
        capture: str = "",
        egress: Iterable[str] | None = (),
        *,
        slim: bool = False,
        most: int = 1,
        name: str = "",
        secrets: Mapping[str, SecretPlace] | None = None,
    ) -> Replica:
        """Begin to start a replica; the rest happens in a thread of its own.

        ``egress`` is what people approved that it may reach; ``None``: they approved it before
        that was asked, with the host's network. ``slim``: they approved it without BentoML.
        ``most``: so many replicas of it there may be at once, which share the cores. ``name``: that
        of the socket at which requests wait for it. ``secrets``: the values that it is to find, by
        their files.
        """
        record = self._record(endpoint, revision, capture, egress, slim, most)
        record.secrets = {file: list(astuple(place)) for file, place in (secrets or {}).items()}
        # who wakes has the socket at which requests wait, and what is warm has one to come
        warm = None if name else self.warming.claim(record, most)
        record.id = name or record.id
        replica = Replica(record, self.folder / f"{record.id}.json", self.starter.socket(record.id))
        replica.warm, replica.child = warm, warm.child if warm else None
        replica.save()
        crash_point("agent.before_replica_start")
        self.all[replica.id] = replica
        self._thread(self._launch, replica)
        return replica

    def _record(
        self,
        endpoint: str,
        revision: DesiredRevision,
        capture: str,
        egress: Iterable[str] | None,
        slim: bool = False,
        most: int = 1,
    ) -> ReplicaRecord:
        others = [r.record for r in self.all.values()]
        network = "host" if egress is None else self.starter.networks.given()
        port = 0 if slim else self._port(revision.bento_digest, network, others)
        return ReplicaRecord(
            id=f"{revision.id}-{uuid4().hex[:8]}",
            revision=revision.id,
            release=revision.release,
            endpoint=endpoint,
            bento_digest=revision.bento_digest,
            runtime_digest=revision.runtime.digest,
            python_version=revision.runtime.python_version,
            variables=dict(revision.variables),
            memory_mb=revision.memory_mb,
            nonce=revision.restart_nonce,
            port=port,
            uid=sandbox.free_uid(self.warming.uids | {r.uid for r in others if r.uid is not None}),
            capture=capture,
            reached="socket",
            network=network,
            egress=None if egress is None else list(egress),
            boot=procs.boot(),
            keeps=not port,  # behind a port several processes take turns, by connections
            slim=slim,
            threads=share_of_cores(others, endpoint, most),
        )

    def _port(self, digest: str, network: str, others: Iterable[ReplicaRecord]) -> int:
        """Return the port that a replica is to serve on; 0: it serves on its socket."""
        if not self.bentos.needs_port(digest):
            return 0
        return OWN_PORT if network == "own" else free_port({other.port for other in others})

    def _thread(self, work: Callable[[Replica], None], replica: Replica) -> None:
        threading.Thread(target=work, args=(replica,), name=replica.id, daemon=True).start()

    def _launch(self, replica: Replica) -> None:
        try:
            self.bentos.check(replica.record.bento_digest)
            if not self.warming.take(replica):
                self.starter.start(replica)
        except Exception as error:
            log.warning("replica %s does not start: %s", replica.id, error)
            replica.failure = f"{error or type(error).__name__}: {self.tail(replica)}"
            replica.launched.set()
            self.wake()
            return
        replica.launched.set()
        self._look_after(replica)

    def _look_after(self, replica: Replica) -> None:
        """Until it is gone, whatever this host lacks meanwhile: room, memory, descriptors."""
        while not self._closed.is_set():
            try:
                if not replica.record.ready:
                    self._probe(replica)
                if replica.record.ready:
                    self._watch(replica)
                return
            except Exception:
                log.exception("replica %s cannot be looked after now", replica.id)
                self._closed.wait(1.0)

    def _watch(self, replica: Replica) -> None:
        """Ask ``/livez`` now and then; end a replica that hangs, so that it is started again."""
        silent = 0
        while silent < CHECKS:
            if self._left_within(replica, CHECK_EVERY):
                return
            answer = ask(replica, "/livez", CHECK_TIMEOUT)
            silent = silent + 1 if answer is None or answer >= 500 else 0
            self._renew(replica, replica.record.relay, self.starter.open_egress)
        self._give_up(replica, f"it hung: {CHECKS} times in a row /livez did not answer")

    def _give_up(self, replica: Replica, why: str) -> None:
        """End a replica that is as good as none; that counts as a crash."""
        replica.hung = why
        log.warning("replica %s is ended: %s", replica.id, why)
        self.signal(replica, signal.SIGKILL)
        self.wake()

    def _left_within(self, replica: Replica, seconds: float) -> bool:
        """Wait so long, with its link standing; tell whether it is looked after no more."""
        looks = 5 if replica.record.link else 1
        for _ in range(looks):
            if self._ended_within(replica, seconds / looks):
                return True
            self._renew(replica, replica.record.link, self.starter.renew_link)
        return False

    def _ended_within(self, replica: Replica, seconds: float) -> bool:
        """Wait so long; tell whether this agent or the replica ended, or the replica is to."""
        gone = procs.wait_gone(replica.refs[0], seconds)
        if gone and not replica.stopping and replica.record.reached == "socket":
            # Nobody will take what waits on its socket: that must fail at once, and what comes
            # now must find another replica.
            self.starter.let_go(replica.id)
            self.wake()
        return gone or self._closed.is_set() or not replica.alive or replica.stopping

    def _renew(
        self,
        replica: Replica,
        beside: tuple[int, int] | None,
        start: Callable[[ReplicaRecord, ProcessRef], None],
    ) -> None:
        """Have another ``start`` where what stood ``beside`` a replica ended, a link or a relay."""
        inner = replica.record.inner
        if beside is None or inner is None or ProcessRef(*beside).alive or not replica.alive:
            return
        try:
            start(replica.record, ProcessRef(*inner))
            replica.save()
        except Exception as error:
            log.warning("what stands beside replica %s is not there: %s", replica.id, error)

    def _probe(self, replica: Replica) -> None:
        """Ask ``/readyz`` until it answers 200, the process ends or it is to stop; not for ever."""
        renewed_at = 0.0
        while replica.alive and not replica.stopping:
            answer = ask(replica, "/readyz")
            if answer == 200:
                replica.ready_at = time.monotonic()
                replica.record.ready = True
                replica.save()
                break
            replica.note = "not listening yet" if answer is None else f"/readyz answers {answer}"
            now = time.monotonic()
            if now - replica.since > START_SECONDS:
                self._give_up(replica, f"it was not ready within {START_SECONDS:.0f} s")
                return
            if now - renewed_at > LINKS_EVERY:  # without them it might never be
                self._renew(replica, replica.record.link, self.starter.renew_link)
                self._renew(replica, replica.record.relay, self.starter.open_egress)
                renewed_at = now
            time.sleep(PROBE_EVERY)
        self.wake()

    # --- stop --------------------------------------------------------------------------------

    def stop_step(self, replica: Replica) -> bool:
        """Do the next thing to end a replica; tell whether nothing of it is left."""
        if not replica.launched.is_set():
            return False
        now = time.monotonic()
        if replica.alive and not replica.termed_at:
            self.signal(replica, signal.SIGTERM)
            replica.termed_at = now
        elif replica.alive and now - replica.termed_at > TERM_SECONDS:
            self.signal(replica, signal.SIGKILL)
        if replica.alive:
            return False
        crash_point("agent.after_replica_stop")
        strays.end(replica.id)
        adopted = replica.record.reached == "port"
        return not adopted or not owners.listening(replica.record.port)

    def signal(self, replica: Replica, number: int) -> None:
        """Signal a replica: politely its own program, or the whole namespace at once."""
        inner = ProcessRef(*replica.record.inner) if replica.record.inner else None
        outer = ProcessRef(*replica.record.outer) if replica.record.outer else None
        if number == signal.SIGTERM and inner is not None:
            for child in inner.children():
                child.signal(number)
            return
        for ref in (inner, outer):  # the outer one may be stopped, and would never notice
            if ref is not None:
                ref.signal(number)

    def discard(self, replica: Replica) -> None:
        """Forget a replica that is gone."""
        child = replica.child
        if child is not None and child.poll() is None:  # a start that failed before its mark stood
            child.kill()
            with suppress(subprocess.TimeoutExpired):
                child.wait(2)
        self.starter.clear(replica.id)
        replica.path.unlink(missing_ok=True)
        self.all.pop(replica.id, None)
        self._reached.pop(replica.record.revision, None)
        outputs.drop_old(self.logs, self.all.keys() | self.warming.names)

    def found_to_need_port(self, replica: Replica) -> bool:
        """Whether a replica ended because its Bento cannot serve on a socket; remembers it."""
        needs_port = replica.child is not None and replica.child.poll() == NOT_ON_A_SOCKET
        if not needs_port or replica.record.port:
            return False
        try:
            self.bentos.note_port(replica.record.bento_digest)
        except OSError as error:  # it counts as crashed, and is asked again when it is started anew
            log.warning("it is not noted that replica %s needs a port: %s", replica.id, error)
            return False
        return True

    # --- look --------------------------------------------------------------------------------

    def of(self, revision: str) -> list[Replica]:
        """Return the replicas of a revision, oldest first."""
        return [r for r in self.all.values() if r.record.revision == revision]

    def reached(self, revision: str) -> list[EgressCount]:
        """Return what the replicas of a revision reached, by destination.

        Looked at now and then only: a busy relay would make every report another one.
        """
        if not (mine := self.of(revision)):
            return []
        at, rows = self._reached.get(revision, (0.0, []))
        if time.monotonic() - at < EGRESS_EVERY:
            return rows
        rows = egress_counts(self.starter.reached(replica.record) for replica in mine)
        self._reached[revision] = (time.monotonic(), rows)
        return rows

    def captured_as(self) -> list[str]:
        """Return the folders of what they capture."""
        return [replica.record.captured_as for replica in list(self.all.values())]

    def why(self, replica: Replica) -> str:
        """Say why a replica ended, with the tail of its log."""
        if replica.failure:
            return replica.failure
        words = replica.hung or "it ended"
        if limits.limiter().killed(replica.id):
            words = f"it needed more than {replica.record.memory_mb} MB of memory"
        return f"{words}: {self.tail(replica)}"

    def tail(self, replica: Replica) -> str:
        """Return the end of its output, without secrets that it may have written."""
        text = outputs.tail(self.starter.log_path(replica.id))
        return self.starter.secrets.hide(text, list(replica.record.places.values()))

    def trim_logs(self) -> None:
        """Keep the newest part of every log that grew too large, in place: it stays open."""
        outputs.trim_all(self.logs)
