"""One replica: its record on disk, and what can be asked about it."""

import errno
import json
import logging
import os
import re
import select
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from placet_agent.haproxy import sockets
from placet_agent.process import procs
from placet_agent.process.holding import connect
from placet_agent.process.procs import ProcessRef
from placet_agent.state import files
from placet_protocol.node_secrets import SecretPlace
from placet_protocol.report import Isolation
from placet_protocol.state import DesiredRevision

if TYPE_CHECKING:
    from placet_agent.process.warm import WarmProcess

log = logging.getLogger(__name__)
PORTS = range(20000, 30000)  # below the ports that the kernel gives to outgoing connections
OWN_PORT = 3000  # in a network of its own, where nobody else is
_QUESTION = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})[ \r\n]")
_LINE = 256  # bytes
# What this host lacks: it says nothing of who was asked.
_LACKING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}


@dataclass
class ReplicaRecord:
    """What is kept on disk of a replica."""

    id: str
    revision: str
    release: str
    endpoint: str
    bento_digest: str
    runtime_digest: str
    python_version: str
    variables: dict[str, str]
    memory_mb: int
    nonce: int
    port: int
    uid: int | None
    outer: tuple[int, int] | None = None  # pid and start time of what we started
    inner: tuple[int, int] | None = None  # of the first process of the pid namespace
    started_at: float = 0.0
    ready: bool = False
    capture: str = ""  # what it was told to write down; '': nothing
    # What an agent did not write that knew nothing of sockets:
    reached: str = "port"  # "socket": by the file in its folder; "port": on the host's loopback
    network: str = "host"  # or "own"
    egress: list[str] | None = None  # what people approved; None: before there was such a thing
    relay: tuple[int, int] | None = None  # what lets it reach that
    link: tuple[int, int] | None = None  # what leads from its socket to its port
    boot: str = ""  # which start of the host these processes are of
    keeps: bool = False  # whether it leaves a connection open for further requests
    slim: bool = False  # whether it serves without BentoML
    secrets: dict[str, list[str]] = field(default_factory=dict)  # places of values, by their files
    threads: int = 0  # that libraries take for one computation; 0: as many as the host has cores
    taken: bool = False  # whether it was a warm process before
    request_seconds: int = 0  # that a request may take; 0: as long as any may

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ReplicaRecord":
        """Read a record, one of an older agent included."""
        known = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        for name in ("outer", "inner", "relay", "link"):
            known[name] = tuple(known[name]) if known.get(name) else None
        return cls(**known)

    @property
    def captured_as(self) -> str:
        """The folder of what it captures, which names its revision."""
        return f"{self.revision}-{self.id.rpartition('-')[2]}"

    @property
    def places(self) -> dict[str, SecretPlace]:
        """Where its secrets are, by their files."""
        return {file: SecretPlace(*parts) for file, parts in self.secrets.items()}

    @property
    def kept(self) -> Isolation:
        """How it is kept from what is beside it."""
        if self.egress is None:
            return "older"
        if self.network == "host":
            return "shared"
        return "link" if self.port else "socket"


@dataclass
class Replica:
    """A replica and what this agent sees of it."""

    record: ReplicaRecord
    path: Path
    socket: Path  # where it is reached, unless it is reached by a port
    stopping_since: float = 0.0
    termed_at: float = 0.0
    failure: str = ""  # why it could not be started
    hung: str = ""  # why it was ended although it ran
    note: str = "starting"
    ready_at: float = 0.0
    since: float = field(default_factory=time.monotonic)  # this agent looks after it
    wave: int = 0  # of starts of its revision; 0: an earlier agent started it
    child: "subprocess.Popen[bytes] | None" = None
    warm: "WarmProcess | None" = None  # that it is to be
    launched: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> str:
        """Its name."""
        return self.record.id

    @property
    def stopping(self) -> bool:
        """Whether it is on its way out."""
        return self.stopping_since > 0

    @property
    def refs(self) -> list[ProcessRef]:
        """The processes that stand for it."""
        return [ProcessRef(*pair) for pair in (self.record.inner, self.record.outer) if pair]

    @property
    def address(self) -> sockets.ServerAddress:
        """Where HAProxy finds it."""
        adopted = self.record.reached == "port"
        return self.record.port if adopted else sockets.socket_of(self.id)

    @property
    def alive(self) -> bool:
        """Whether it runs, or is being started."""
        if self.failure:
            return False
        if self.child is not None:
            self.child.poll()
        return not self.launched.is_set() or any(ref.alive for ref in self.refs)

    def begin_stop(self) -> None:
        """Have it stopped, as soon as nothing is under way on it."""
        if not self.stopping:
            log.info("stopping replica %s", self.id)
            self.stopping_since = time.monotonic()

    def save(self) -> None:
        """Write the record."""
        files.write_json(self.path, asdict(self.record), durable=False)


def pair(ref: ProcessRef | None) -> tuple[int, int] | None:
    """Return pid and start time, as a record holds them."""
    return (ref.pid, ref.start) if ref else None


def first_inside(reader: int) -> ProcessRef | None:
    """Read from bwrap which process is the first of the new namespace."""
    text, end = b"", time.monotonic() + 10
    while not text.rstrip().endswith(b"}") and time.monotonic() < end:
        if not select.select([reader], [], [], 0.5)[0]:
            continue
        chunk = os.read(reader, 4096)
        if not chunk:
            break
        text += chunk
    try:
        return procs.find(int(json.loads(text)["child-pid"]))
    except (ValueError, KeyError):
        return None


def free_port(taken: set[int]) -> int:
    """Return a loopback port that nobody has."""
    first = int.from_bytes(os.urandom(2)) % len(PORTS)
    for offset in range(len(PORTS)):
        port = PORTS[(first + offset) % len(PORTS)]
        if port in taken:
            continue
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free for a replica")


def ask(replica: Replica, path: str, timeout: float = 2.0) -> int | None:
    """Return the status of ``path``, ``/readyz`` or ``/livez``; ``None`` while nothing answers.

    One line is read, and within the time: a replica that answers for ever, byte by byte or by
    ``100 Continue``, would have this agent's time and not its own. Raises ``OSError`` where this
    host is at its end, which is no silence of the replica.
    """
    end, received = time.monotonic() + timeout, b""
    try:
        with _reach(replica, timeout) as connection:
            connection.sendall(_QUESTION % path.encode())
            while (
                b"\n" not in received
                and len(received) < _LINE
                and (left := end - time.monotonic()) > 0
            ):
                connection.settimeout(left)
                if not (chunk := connection.recv(_LINE)):
                    break
                received += chunk
    except OSError as error:
        if error.errno in _LACKING:
            raise
        return None
    match = _STATUS.match(received)
    return int(match[1]) if match else None


def _reach(replica: Replica, timeout: float) -> socket.socket:
    if replica.record.reached == "socket":
        return connect(replica.socket, timeout)
    return socket.create_connection(("127.0.0.1", replica.record.port), timeout)


def settings_of(record: ReplicaRecord) -> tuple[object, ...]:
    """Return what of a replica must equal what is wanted, or it is outdated."""
    return (
        record.bento_digest,
        record.nonce,
        record.memory_mb,
        tuple(sorted(record.variables.items())),
        tuple(sorted({place.value for place in record.places.values()})),
    )


def wanted_settings(revision: DesiredRevision, named: Iterable[str] = ()) -> tuple[object, ...]:
    """Return the same of a wanted revision; ``named`` are the secrets that its permit has."""
    values = {revision.secrets[name].value for name in named if name in revision.secrets}
    variables: Mapping[str, str] = revision.variables
    return (
        revision.bento_digest,
        revision.restart_nonce,
        revision.memory_mb,
        tuple(sorted(variables.items())),
        tuple(sorted(values)),
    )


def share_of_cores(others: Iterable[ReplicaRecord], endpoint: str, replicas: int) -> int:
    """Return with how many threads one of so many replicas of ``endpoint`` computes.

    That is the host's cores, shared among all replicas: with as many threads each as there are
    cores, they would take turns in the middle of every computation. Of each other endpoint its
    largest revision counts, since of two that a rollout has beside each other one goes.
    """
    largest: Counter[str] = Counter()
    for (name, _), count in Counter((r.endpoint, r.revision) for r in others).items():
        largest[name] = max(largest[name], count)
    del largest[endpoint]
    return max(1, len(os.sched_getaffinity(0)) // (largest.total() + replicas))
