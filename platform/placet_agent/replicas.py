"""Replicas: ``bentoml serve`` processes that outlive the agent, known by pid and start time.

A replica's record is on disk before its process exists, and names a marker that stands in the
environment of everything it starts; an agent that died in between finds and ends what it left.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from placet_agent import capture, files, procs, sandbox
from placet_agent.bentos import Bentos
from placet_agent.faults import crash_point
from placet_agent.procs import ProcessRef
from placet_agent.replica import Record, Replica, ask, first_inside, free_port, pair
from placet_agent.runtimes import INSIDE, Runtimes
from placet_agent.sandbox import MARKER, Cell
from placet_protocol.runtimes import RuntimeRef
from placet_protocol.state import DesiredRevision

log = logging.getLogger(__name__)

PROBE_EVERY = 0.05
CHECK_EVERY = 5.0  # seconds between two looks at a replica that is ready
CHECK_TIMEOUT = 5.0
CHECKS = 3  # so many without an answer in a row: it hangs
TERM_SECONDS = 5.0
LOG_BYTES = 4 << 20
TAIL_BYTES = 3000

Program = Callable[[int], list[str]]


def bento_program(port: int) -> list[str]:
    """Return the command that serves the Bento at ``/bento``."""
    return [
        f"{INSIDE}/bin/python", "-m", "bentoml", "serve", "/bento",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip


class Replicas:
    """All replicas of this node."""

    def __init__(
        self,
        home: Path,
        bentos: Bentos,
        runtimes: Runtimes,
        wake: Callable[[], None],
        program: Program = bento_program,
    ) -> None:
        self.folder = home / "replicas"
        self.logs = home / "logs"
        self.captured = home / "capture"
        self.bentos = bentos
        self.runtimes = runtimes
        self.wake = wake
        self.program = program
        self.all: dict[str, Replica] = {}
        self._closed = threading.Event()

    def close(self) -> None:
        """Look after replicas no longer; they go on."""
        self._closed.set()

    # --- start -------------------------------------------------------------------------------

    def adopt(self, *, probe: bool = True) -> None:
        """Take over the replicas that an earlier agent started; end what it left half-started."""
        for path in sorted(self.folder.glob("*.json")):
            data: dict[str, Any] = files.read_json(path) or {}
            for name in ("outer", "inner"):
                data[name] = tuple(data[name]) if data.get(name) else None
            replica = Replica(Record(**data), path)
            replica.launched.set()
            self.all[replica.id] = replica
            if not replica.refs:
                self._end_marked(replica)
                self.discard(replica)
            elif replica.alive:
                log.info("adopted replica %s on port %s", replica.id, replica.record.port)
                if replica.record.ready:
                    replica.ready_at = time.monotonic()
                if probe:
                    self._thread(self._look_after, replica)

    def start(self, endpoint: str, revision: DesiredRevision, capture: str = "") -> Replica:
        """Begin to start a replica; the rest happens in a thread of its own."""
        others = [r.record for r in self.all.values()]
        name = f"{revision.id}-{uuid4().hex[:8]}"
        record = Record(
            id=name,
            revision=revision.id,
            release=revision.release,
            endpoint=endpoint,
            bento_digest=revision.bento_digest,
            runtime_digest=revision.runtime.digest,
            python_version=revision.runtime.python_version,
            variables=dict(revision.variables),
            memory_mb=revision.memory_mb,
            nonce=revision.restart_nonce,
            port=free_port({other.port for other in others}),
            uid=sandbox.free_uid(other.uid for other in others if other.uid is not None),
            isolation=sandbox.isolation(),
            capture=capture,
        )
        replica = Replica(record, self.folder / f"{name}.json")
        replica.save()
        crash_point("agent.before_replica_start")
        self.all[name] = replica
        self._thread(self._launch, replica)
        return replica

    def _thread(self, work: Callable[[Replica], None], replica: Replica) -> None:
        threading.Thread(
            target=work, args=(replica,), name=f"replica-{replica.id}", daemon=True
        ).start()

    def _launch(self, replica: Replica) -> None:
        try:
            self.bentos.check(replica.record.bento_digest)
            self._spawn(replica)
        except Exception as error:
            log.warning("replica %s does not start: %s", replica.id, error)
            replica.failure = str(error) or type(error).__name__
            replica.launched.set()
            self.wake()
            return
        replica.launched.set()
        self._look_after(replica)

    def _spawn(self, replica: Replica) -> None:
        record = replica.record
        if sandbox.isolation() != "bwrap":
            raise RuntimeError(sandbox.NO_BWRAP)
        limiter = sandbox.memory_limiter()
        group = limiter.make(record.id, record.memory_mb)
        record.cgroup = str(group or "")
        cell = self._cell(record, group)
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb", buffering=0) as answers:
            try:
                replica.child = self._popen(replica, cell, writer)
            finally:
                os.close(writer)
            inner = first_inside(answers.fileno())
        crash_point("agent.after_replica_start")
        record.outer = pair(procs.find(replica.child.pid))
        record.inner = pair(inner)
        record.started_at = time.time()
        replica.save()
        if inner is None:
            raise RuntimeError(f"it ended at once: {self.tail(replica)}")

    def _popen(self, replica: Replica, cell: Cell, info_fd: int) -> "subprocess.Popen[bytes]":
        with self.log_path(replica).open("ab") as output:
            return subprocess.Popen(
                sandbox.command(cell, self.program(replica.record.port), info_fd=info_fd),
                cwd="/",
                env={"PATH": os.defpath, MARKER: replica.id},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[info_fd],
            )

    def _cell(self, record: Record, group: Path | None) -> Cell:
        runtime = self.runtimes.get(RuntimeRef(record.runtime_digest, record.python_version))
        limits = sandbox.memory_limiter().limits(record.memory_mb)
        told = {"PLACET_CAPTURE": record.capture} if record.capture else {}
        return Cell(
            uid=record.uid,
            writable=capture.folder_for(self.captured, record) if told else {},
            read_only={**runtime.binds, "/bento": self.bentos.path(record.bento_digest)},
            variables={
                **record.variables,
                **told,
                MARKER: record.id,
                "PLACET_RELEASE": record.release,
                "PLACET_REVISION": record.revision,
                "BENTOML_HOME": "/tmp/bentoml",  # noqa: S108
                "BENTOML_DO_NOT_TRACK": "true",
                "PYTHONUNBUFFERED": "1",
            },
            limits=(*Cell(uid=None).limits, *limits),
            cgroup=group,
        )

    def _look_after(self, replica: Replica) -> None:
        if not replica.record.ready:
            self._probe(replica)
        if replica.record.ready:
            self._watch(replica)

    def _watch(self, replica: Replica) -> None:
        """Ask ``/livez`` now and then; end a replica that hangs, so that it is started again."""
        silent = 0
        while silent < CHECKS:
            if self._closed.wait(CHECK_EVERY) or not replica.alive or replica.stopping:
                return
            answer = ask(replica.record.port, "/livez", CHECK_TIMEOUT)
            silent = silent + 1 if answer is None or answer >= 500 else 0
        replica.hung = f"it hung: {CHECKS} times in a row /livez did not answer"
        log.warning("replica %s hangs and is ended", replica.id)
        self.signal(replica, signal.SIGKILL)
        self.wake()

    def _probe(self, replica: Replica) -> None:
        """Ask ``/readyz`` until it answers 200, the process ends or it is to stop."""
        while replica.alive and not replica.stopping:
            answer = ask(replica.record.port, "/readyz")
            if answer == 200:
                replica.ready_at = time.monotonic()
                replica.record.ready = True
                replica.save()
                break
            replica.note = "not listening yet" if answer is None else f"/readyz answers {answer}"
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
        self._end_marked(replica)
        return not procs.listening(replica.record.port)

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

    def _end_marked(self, replica: Replica) -> None:
        """End what the replica started outside a namespace, or left there."""
        for ref in procs.with_variable(MARKER, replica.id):
            ref.signal(signal.SIGKILL)
            procs.wait_gone(ref, 2)

    def discard(self, replica: Replica) -> None:
        """Forget a replica that is gone."""
        if replica.child is not None:
            replica.child.poll()
        if replica.record.cgroup:
            sandbox.memory_limiter().remove(Path(replica.record.cgroup))
        replica.path.unlink(missing_ok=True)
        self.all.pop(replica.id, None)
        self._drop_old_logs()

    # --- look --------------------------------------------------------------------------------

    def of(self, revision: str) -> list[Replica]:
        """Return the replicas of a revision, oldest first."""
        return [r for r in self.all.values() if r.record.revision == revision]

    def why(self, replica: Replica) -> str:
        """Say why a replica ended, with the tail of its log."""
        if replica.failure:
            return replica.failure
        group = Path(replica.record.cgroup) if replica.record.cgroup else None
        memory = sandbox.memory_limiter().killed(group)
        words = replica.hung or "it ended"
        if memory:
            words = f"it needed more than {replica.record.memory_mb} MB of memory"
        return f"{words}: {self.tail(replica)}"

    def log_path(self, replica: Replica) -> Path:
        """Return the file of its output."""
        return self.logs / f"{replica.id}.log"

    def tail(self, replica: Replica) -> str:
        """Return the end of its output."""
        try:
            with self.log_path(replica).open("rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
                return stream.read().decode(errors="replace").strip()
        except OSError:
            return "no output"

    def trim_logs(self) -> None:
        """Keep the newest part of every log that grew too large, in place: it stays open."""
        for path in self.logs.glob("*.log"):
            if path.stat().st_size > LOG_BYTES:
                with path.open("r+b") as stream:
                    stream.seek(-LOG_BYTES // 4, os.SEEK_END)
                    kept = stream.read()
                    path.with_suffix(".log.1").write_bytes(kept)
                    stream.truncate(0)

    def _drop_old_logs(self, keep: int = 20) -> None:
        alive = {self.log_path(r) for r in self.all.values()}
        old = [p for p in self.logs.glob("*.log") if p not in alive]
        for path in sorted(old, key=lambda p: p.stat().st_mtime)[:-keep]:
            path.unlink(missing_ok=True)
            path.with_suffix(".log.1").unlink(missing_ok=True)
