"""A warm process: a replica to be, in a whole sandbox of its own, that holds nothing of anybody.

It is started as a replica is, as a user of its own, in namespaces and control groups of its own,
with the runtime bound; it imports what servers and models need and waits for one message. Who
takes it gives it a Bento, a socket, variables and limits, and from then on it is that replica and
no other: nobody serves two. What it says was said by the runtime's code, which people approved
with some Bento and which may mean harm: it is bounded, and believed in nothing but its own affairs.
"""

import array
import json
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from placet_agent.downloads.bentos import Facts
from placet_agent.inside import MESSAGE_BYTES
from placet_agent.process import limits, procs
from placet_agent.process.procs import ProcessRef
from placet_agent.process.replica import ReplicaRecord
from placet_verify.permit.variables import SETTABLE

END_SECONDS = 2.0
TAKE_SECONDS = 5.0  # in which it answers who takes it; the start that it saves takes as long
WARM_SECONDS = 60.0  # in which all must be imported
MAX_ASKED = 10_000
# Read by libraries of C as they are loaded, or once and for all by Python's own ``time``: what a
# release may set by these names comes too late once they are. What Python looks up, ``asked`` says.
EARLY = (
    *("OMP_", "GOMP_", "KMP_", "LIBOMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "BLAS_", "ARROW_"),
    *sorted(SETTABLE),
)
EARLY_NAMES = frozenset({"TZ"})
PREFIX = "warm"  # of their names, where those of other replicas have their revision


class NotTaken(Exception):
    """A warm process cannot be the replica that is wanted; the sentence says why."""


@dataclass(frozen=True)
class Shape:
    """What of a replica cannot be changed any more once its process runs."""

    runtime_digest: str
    python_version: str
    slim: bool
    libraries: bool  # those of models: its service was written by a build
    wiped: bool
    threads: int
    captures: bool
    memory_mb: int  # 0 where control groups bound it, which can be told another size

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what is to be imported, as ``inside.warm`` reads it."""
        return ("slim" if self.slim else "bentoml", *(["libraries"] if self.libraries else []))


def shape_of(record: ReplicaRecord, facts: Facts) -> Shape | None:
    """Return the shape of a replica; ``None`` where it is one that only starts afresh.

    That is who serves on a port, shares the host's network, sets what is read early, or has
    secrets, which lie in a sandbox from its start.
    """
    early = any(name.startswith(EARLY) or name in EARLY_NAMES for name in record.variables)
    if record.port or record.network == "host" or early or record.secrets:
        return None
    return Shape(
        record.runtime_digest,
        record.python_version,
        record.slim,
        facts.generated,
        facts.wipe_memory,
        record.threads,
        bool(record.capture),
        0 if limits.limiter().roots else record.memory_mb,
    )


def nobodys(like: ReplicaRecord, shape: Shape, uid: int | None) -> ReplicaRecord:
    """Return the record of a warm process of this shape, with the limits of the replica that it is
    ``like``: it holds nothing of that."""
    return ReplicaRecord(
        id=f"{PREFIX}-{uuid4().hex[:8]}",
        revision="",
        release="",
        endpoint="",
        bento_digest="",
        runtime_digest=shape.runtime_digest,
        python_version=shape.python_version,
        variables={},
        memory_mb=like.memory_mb,
        nonce=0,
        port=0,
        uid=uid,
        network="own",
        egress=[],
        boot=procs.boot(),
        slim=shape.slim,
        threads=shape.threads,
    )


@dataclass
class WarmProcess:
    """One that waits, or is being started."""

    record: ReplicaRecord  # of the replica to be, as far as that is known
    shape: Shape
    child: "subprocess.Popen[bytes]"
    control: socket.socket
    home: tuple[int, int]  # device and inode of the runtime's folder that it has in its sandbox
    began: float = field(default_factory=time.monotonic)
    ready: bool = False
    asked: frozenset[str] = frozenset()  # variables that were looked up as it imported

    @property
    def id(self) -> str:
        """The name that the replica will have."""
        return self.record.id

    @property
    def refs(self) -> list[ProcessRef]:
        """The processes that stand for it."""
        return [ProcessRef(*pair) for pair in (self.record.inner, self.record.outer) if pair]

    @property
    def alive(self) -> bool:
        """Whether all of them run."""
        return self.child.poll() is None and all(ref.alive for ref in self.refs)

    def listen(self) -> None:
        """Hear whether it is ready. Raises ``NotTaken`` for anything else that it says."""
        said = self._hear()
        if said is None:
            return
        names = None if self.ready else said.get("ready")
        if not isinstance(names, list) or len(names) > MAX_ASKED:
            raise NotTaken("it says something else than that it is ready")
        self.asked, self.ready = frozenset(map(str, names)), True

    def hand_over(self, listener: int, variables: Mapping[str, str]) -> None:
        """Have it serve on ``listener``, by one message. Raises ``NotTaken``."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))]
        told = json.dumps({"variables": dict(variables)}, ensure_ascii=False).encode()
        try:
            self.control.settimeout(TAKE_SECONDS)
            self.control.sendmsg([told], rights)
            said = self._hear()
        except OSError as error:
            raise NotTaken(f"it does not answer: {error}") from error
        if said is None or said.get("taken") is not True:
            why = said.get("refused") if said else None
            raise NotTaken(str(why)[:200] if why else "it does not answer")

    def _hear(self) -> dict[str, Any] | None:
        """Return what it says; ``None`` while it says nothing."""
        try:
            text = self.control.recv(MESSAGE_BYTES)
        except (BlockingIOError, TimeoutError):
            return None
        try:
            said = json.loads(text) if text else None
        except (RecursionError, ValueError):
            said = None
        if not isinstance(said, dict):
            raise NotTaken("it closed what it hears us by" if not text else "it says what is none")
        return said

    def end(self) -> None:
        """End it, and all in its sandbox."""
        self.control.close()
        for ref in self.refs:
            ref.signal(signal.SIGKILL)
        self.child.kill()
        with suppress(subprocess.TimeoutExpired):  # ``strays`` says so
            self.child.wait(END_SECONDS)


def fits(
    warm: WarmProcess, shape: Shape | None, variables: Collection[str], home: tuple[int, int] | None
) -> bool:
    """Tell whether a warm process can be a replica of ``shape`` that sets these variables, in the
    runtime that has ``home`` now."""
    return (
        warm.ready
        and warm.shape == shape
        and warm.home == home
        and warm.asked.isdisjoint(variables)
    )
