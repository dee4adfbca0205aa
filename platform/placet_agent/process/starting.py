"""Starts one replica: its limits, its socket, its sandbox, and what stands outside for it.

Until relay and link stand, bwrap holds the program back. An agent that dies meanwhile lets it go;
its record names no process then, so that the next agent ends it by its marker.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from placet_agent import link, relay
from placet_agent.downloads.bentos import BentoFolder, Facts
from placet_agent.downloads.leftovers import remove
from placet_agent.downloads.runtimes import INSIDE, RuntimeFolder
from placet_agent.faults import crash_point
from placet_agent.process import limits, procs, sandbox
from placet_agent.process.doors import Doors
from placet_agent.process.given import Given
from placet_agent.process.holding import Holder, HolderError, listen
from placet_agent.process.networks import Networks
from placet_agent.process.procs import ProcessRef
from placet_agent.process.replica import Replica, ReplicaRecord, first_inside, pair
from placet_agent.process.sandbox import MARKER, Cell
from placet_agent.reports import capture, counting
from placet_agent.reports.counting import Count
from placet_agent.state.secret_files import SecretFiles
from placet_protocol.runtimes import RuntimeRef
from placet_verify.permit.serving import Destination
from placet_verify.permit.variables import undeclared

SERVER = "/placet/inside.py"
# Its log lies on the host's disk, and is trimmed now and then only. /tmp holds no larger file.
FILES = f"--fsize={sandbox.TMP_BYTES}:{sandbox.TMP_BYTES}"


@dataclass(frozen=True)
class Door:
    """Where a replica is to serve: on the socket ``fd``, or on ``port`` of its loopback.

    ``slim``: without BentoML, on the socket. With ``control`` it is told later, by that socket,
    and has ``kinds`` of things imported by then.
    """

    fd: int = -1
    port: int = 0
    slim: bool = False
    control: int = -1
    kinds: tuple[str, ...] = ()


Program = Callable[[Door], list[str]]


def bento_program(door: Door) -> list[str]:
    """Return the command that serves the Bento at ``/bento``."""
    on_socket = ["--slim" if door.slim else "--fd", str(door.fd)]
    where = ["--port", str(door.port)] if door.port else on_socket
    if door.control >= 0:
        where = ["--warm", str(door.control), *door.kinds]
    return [f"{INSIDE}/bin/python", "-P", SERVER, "/bento", *where]


class Starter:
    """Knows what a replica of this node needs around it."""

    def __init__(
        self,
        home: Path,
        bentos: BentoFolder,
        runtimes: RuntimeFolder,
        program: Program = bento_program,
        *,
        shared: bool = False,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.logs, self.captured = home / "logs", home / "capture"
        self.sockets, self.given = home / "haproxy/sockets", Given(home / "given")
        self.holder = Holder(home / "holder")
        self.doors = Doors(home, self.holder, wake)
        self.networks = Networks(home, shared=shared)
        self.secrets = SecretFiles(home)
        self.bentos = bentos
        self.runtimes = runtimes
        self.program = program

    def prepare(self) -> None:
        """Have the holder run, and what replicas are given lie ready. Raises ``HolderError``."""
        self.holder.ensure()
        self.given.prepare()

    def socket(self, name: str) -> Path:
        """Return where the socket of a replica is found."""
        return self.sockets / name / "http"

    def log_path(self, name: str) -> Path:
        """Return the file of a replica's output."""
        return self.logs / f"{name}.log"

    def start(self, replica: Replica) -> None:
        """Start what the record of ``replica`` says, and write down its processes."""
        facts = self.judge(replica.record)
        self.with_socket(replica.record, partial(self._start, replica, facts))

    def judge(self, record: ReplicaRecord) -> Facts:
        """Return what the Bento's build wrote down, when it may start as ``record`` says here."""
        check_host()
        if record.egress is not None and record.network == "host" != self.networks.given():
            raise RuntimeError("it may not start on the host's network: this host gives others")
        facts = self.bentos.facts(record.bento_digest)
        _check_variables(record, facts)
        self.prepare()
        return facts

    def with_socket(self, record: ReplicaRecord, work: Callable[[int], None]) -> None:
        """Do something with the socket of a replica, which the holder keeps: a fresh one, or the
        one at which requests wait for it."""
        self.doors.stand()
        given = self.doors.hand_over(record.id)
        uid = sandbox.user(sandbox.PROXY_UID)
        handle = listen(self.sockets / record.id, uid)[1] if given is None else given
        listener = sandbox.above(handle)
        try:
            if given is None:
                self.holder.keep(record.id, listener)
            work(listener)
        finally:
            os.close(listener)

    def _start(self, replica: Replica, facts: Facts, listener: int) -> None:
        record = replica.record
        groups = limits.limiter().make(record.id, record.memory_mb)
        info_reader, info_writer, block_reader, block_writer = map(
            sandbox.above, (*os.pipe(), *os.pipe())
        )
        given = dict[str, int]()
        try:
            try:
                self._open_secrets(record, given)
                cell = self._replica_cell(record, facts, groups, given)
                door = self._door(record, listener)
                words = sandbox.command(
                    cell, self.program(door), info_fd=info_writer, block_fd=block_reader
                )
                handed = [] if record.port else [listener]
                handles = [info_writer, block_reader, *handed, *given.values()]
                replica.child = self.popen(record, words, handles)
            finally:
                for number in (info_writer, block_reader, *given.values()):
                    os.close(number)
            first = first_inside(info_reader)
            crash_point("agent.after_replica_start")
            record.outer, record.inner = pair(procs.find(replica.child.pid)), pair(first)
            record.started_at = time.time()
            if first is not None:
                self.stand_beside(replica, first, listener)
            replica.save()
            os.write(block_writer, b"1")
        except BaseException:
            # before ``block_writer`` is closed: that too would let the program go
            for ref in replica.refs:
                ref.signal(signal.SIGKILL)
            raise
        finally:
            os.close(info_reader)
            os.close(block_writer)
        if first is None:
            raise RuntimeError("it ended at once")

    def _door(self, record: ReplicaRecord, listener: int) -> Door:
        on_socket = Door(fd=listener, slim=record.slim)
        return Door(port=record.port) if record.port else on_socket

    def _open_secrets(self, record: ReplicaRecord, given: dict[str, int]) -> None:
        """Add a descriptor for each file, which the caller closes, whatever becomes of the rest."""
        for file, place in record.places.items():
            given[file] = sandbox.above(self.secrets.handle(place))

    def popen(
        self, record: ReplicaRecord, words: list[str], handed: list[int]
    ) -> "subprocess.Popen[bytes]":
        with self.log_path(record.id).open("ab") as output:
            return subprocess.Popen(
                words,
                cwd="/",
                env={MARKER: record.id},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=handed,
            )

    def stand_beside(self, replica: Replica, first: ProcessRef, listener: int) -> None:
        """Start what leads to a replica and what leads out of it, as far as it needs that."""
        record = replica.record
        if record.port:
            self._open_link(record, first, listener)
        if record.network == "own" and record.egress:
            self.open_egress(record, first)

    def _open_link(self, record: ReplicaRecord, first: ProcessRef, listener: int) -> None:
        shared = record.uid if record.uid is not None else os.geteuid()
        started = link.start(
            first,
            listener,
            record.port,
            counts=self._counts(record, "link"),
            log=self.log_path(record.id),
            uid=sandbox.user(sandbox.LINK_UID),
            marker=(MARKER, record.id),
            shared=shared if record.network == "host" else None,
        )
        record.link = pair(started)
        limits.limiter().charge(record.id, started.pid)

    def renew_link(self, record: ReplicaRecord, first: ProcessRef) -> None:
        """Start another link on the socket that the holder keeps: who waits there is answered."""
        listener = sandbox.above(self.holder.give(record.id))
        try:
            self._open_link(record, first, listener)
        finally:
            os.close(listener)

    def open_egress(self, record: ReplicaRecord, first: ProcessRef) -> None:
        """Start the relay of a replica that may reach something."""
        started = relay.start(
            first,
            destinations(record),
            counts=self._counts(record, "egress"),
            log=self.log_path(record.id),
            uid=sandbox.user(sandbox.RELAY_UID),
            marker=(MARKER, record.id),
        )
        record.relay = pair(started)
        limits.limiter().charge(record.id, started.pid)

    def _counts(self, record: ReplicaRecord, what: str) -> Path:
        return self.given.counts(record.id, what)

    def reached(self, record: ReplicaRecord) -> dict[str, Count]:
        """Return what became of the connections of a replica to each of its destinations."""
        return counting.read(self._counts(record, "egress")) if record.egress else {}

    def _replica_cell(
        self,
        record: ReplicaRecord,
        facts: Facts,
        groups: tuple[Path, ...],
        given: Mapping[str, int],
    ) -> Cell:
        cell = self.cell(record, self.bentos.path(record.bento_digest), groups, facts.wipe_memory)
        folder = capture.folder_for(self.captured, record) if record.capture else {}
        # What is fixed comes last: a release sets none of it.
        variables = {**threads(record), **own_variables(record), **cell.variables}
        variables |= {"PLACET_SECRETS": sandbox.SECRETS} if given else {}
        return replace(cell, writable=folder, variables=variables, secrets=given)

    def cell(
        self, record: ReplicaRecord, bento: Path, groups: tuple[Path, ...], wiped: bool
    ) -> Cell:
        """Return what every replica sees, before anything is said that is its own."""
        runtime = self.runtimes.get(RuntimeRef(record.runtime_digest, record.python_version))
        own = record.network == "own"
        hosts = {"/etc/hosts": self.given.hosts(record.id, destinations(record))} if own else {}
        return Cell(
            uid=record.uid,
            network="own" if own else "host",
            read_only={**runtime.binds, "/bento": bento, SERVER: self.given.server, **hosts},
            variables={
                **(sandbox.WIPED if wiped else {}),
                MARKER: record.id,
                "BENTOML_HOME": "/tmp/bentoml",  # noqa: S108
                "BENTOML_DO_NOT_TRACK": "true",
                "PYTHONUNBUFFERED": "1",
            },
            limits=(*Cell(uid=None).limits, *limits.limiter().words(record.memory_mb), FILES),
            groups=groups,
        )

    def clear(self, name: str) -> None:
        """Remove what is left of a replica that is gone, but a socket that it never had."""
        if not self.doors.is_spared(name):
            self.let_go(name)
            remove(self.sockets / name)
        self.given.clear(name)
        limits.limiter().remove(name)

    def forget_others(self, known: set[str], ended: set[str]) -> None:
        """Remove what an agent that died had made for a replica that never came to be, and what
        is left of those that were ``ended``."""
        names = ended | {path.name for path in self.sockets.glob("*")}
        names |= self.given.names()
        with suppress(HolderError):
            names |= self.holder.names()
        for name in names - known - self.doors.names():
            self.clear(name)
        for name in ended:
            limits.limiter().remove_soon(name)

    def let_go(self, name: str) -> None:
        """Have the socket of a replica closed: who still waits there gets an error at once."""
        self.doors.let_go(name)
        with suppress(HolderError):
            self.holder.drop(name)


def check_host() -> None:
    if sandbox.isolation() != "bwrap":
        raise RuntimeError(sandbox.NO_BWRAP)
    if few := limits.too_few_files():
        raise RuntimeError(few)


def threads(record: ReplicaRecord) -> dict[str, str]:
    """OpenBLAS, MKL and numexpr take it too, unless they are told otherwise."""
    return {"OMP_NUM_THREADS": str(record.threads)} if record.threads else {}


def own_variables(record: ReplicaRecord) -> dict[str, str]:
    """Return what one replica finds in its environment and another would not."""
    return {
        **record.variables,
        **({"PLACET_CAPTURE": record.capture} if record.capture else {}),
        "PLACET_RELEASE": record.release,
        "PLACET_REVISION": record.revision,
    }


def _check_variables(record: ReplicaRecord, facts: Facts) -> None:
    if record.egress is None or not record.variables:  # None: before versions declared any
        return
    if names := undeclared(record.variables, facts.declared()):
        raise RuntimeError(f"the version does not declare the variable {names[0]}")


def destinations(record: ReplicaRecord) -> list[Destination]:
    return [Destination.read(text) for text in record.egress or ()]
