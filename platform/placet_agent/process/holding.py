"""The agent's side of the holder: starts or adopts it, and hands it sockets of replicas."""

import array
import json
import os
import signal
import socket
import struct
import threading
from pathlib import Path
from typing import Any

from placet_agent import holder
from placet_agent.faults import crash_point
from placet_agent.process import launching, procs
from placet_agent.process.procs import ProcessRef, wait_gone
from placet_agent.state import files

MARKER = "PLACET_HOLDER"  # in its environment: the folder that it was started for
NAME = "http"  # of a replica's socket in its folder
BACKLOG = 4096
_SECONDS = 5.0
_LOG_LIMIT = 1 << 20


class HolderError(Exception):
    """The holder does not answer, or refuses; the sentence says why."""


class Holder:
    """The one holder of a folder, which only the agent may enter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ref: ProcessRef | None = None
        self._starting = threading.Lock()  # replicas are started by threads of their own

    # --- its process -----------------------------------------------------------------------

    def ensure(self) -> ProcessRef:
        """Return the holder that runs; start one if none answers. Raises ``HolderError``.

        One that runs and does not answer is ended: what it kept, nobody could ever get from it.
        """
        with self._starting:
            return self.ref if self.adopt() and self.ref is not None else self._start()

    def _start(self) -> ProcessRef:
        self._end(self._ours())
        files.make_folder(self.folder)
        log = self.folder / "holder.log"
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.write_bytes(b"")
        marker = (MARKER, str(self.folder.resolve()))
        crash_point("agent.before_holder_start")
        try:
            ref = launching.start(
                "placet_agent.holder", [str(self.folder.resolve())], log=log, marker=marker
            )
        except launching.NotStarted as error:
            raise HolderError(f"the holder does not start: {error}") from error
        crash_point("agent.after_holder_start")
        self._note(ref)
        return ref

    def adopt(self) -> bool:
        """Take over the holder that answers, whoever started it; tell whether there is one."""
        try:
            with self._connect() as connection:
                ref = procs.find(_peer(connection))
                self._exchange(connection, {"do": "names"})
        except HolderError:
            return False
        if ref is None or not ref.alive:
            return False
        if ref != self.ref:
            self._note(ref)
        return True

    def _note(self, ref: ProcessRef) -> None:
        self.ref = ref
        record = {"pid": ref.pid, "start": ref.start, "boot": procs.boot()}
        if files.read_hint(self.folder / "holder.json") != record:
            files.write_json(self.folder / "holder.json", record, durable=False)

    def _ours(self) -> list[ProcessRef]:
        """Return every holder of this folder: on record, or found by what it was started with.

        Whoever has the pid and the start time of the record after another start of the host is not.
        """
        holders = procs.with_variable(MARKER, str(self.folder.resolve()))
        record = files.read_hint(self.folder / "holder.json")
        if record and record.get("boot", procs.boot()) == procs.boot():
            holders.append(ProcessRef(record["pid"], record["start"]))
        return holders

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.ref is not None and self.ref.alive

    def stop(self) -> None:
        """End the holder for good, and with it what it kept."""
        holders = self._ours()
        for ref in holders:
            ref.signal(signal.SIGTERM)
        for ref in holders:
            wait_gone(ref, 3)
        self._end(holders)
        for name in ("holder.json", holder.SOCKET):
            (self.folder / name).unlink(missing_ok=True)
        self.ref = None

    def _end(self, refs: list[ProcessRef]) -> None:
        for ref in refs:
            ref.signal(signal.SIGKILL)
            wait_gone(ref, 3)
        launching.reap()

    # --- what it keeps ---------------------------------------------------------------------

    def keep(self, name: str, handle: int) -> None:
        """Have a socket kept under a name that nothing is kept under. Raises ``HolderError``."""
        self._ask({"do": "keep", "name": name}, handle)

    def give(self, name: str) -> int:
        """Return a descriptor of the socket kept under ``name``. Raises ``HolderError``."""
        handle = self._ask({"do": "give", "name": name})[1]
        if handle is None:
            raise HolderError("the holder sent no socket")
        return handle

    def drop(self, name: str) -> None:
        """Have the socket closed, not shut down. Raises ``HolderError``, also if it is unknown."""
        self._ask({"do": "drop", "name": name})

    def names(self) -> set[str]:
        """Return the names of all that is kept. Raises ``HolderError``."""
        names: set[str] = set()
        after = ""
        while True:
            answer, _ = self._ask({"do": "names", "after": after})
            names.update(answer["names"])
            if not answer["more"]:
                return names
            after = answer["names"][-1]

    def _ask(
        self, request: dict[str, str], handle: int | None = None
    ) -> tuple[dict[str, Any], int | None]:
        with self._connect() as connection:
            return self._exchange(connection, request, handle)

    def _connect(self) -> socket.socket:
        try:
            return connect(self.folder / holder.SOCKET, _SECONDS, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise HolderError(f"the holder does not answer: {error}") from error

    def _exchange(
        self, connection: socket.socket, request: dict[str, str], handle: int | None = None
    ) -> tuple[dict[str, Any], int | None]:
        sent = [] if handle is None else [handle]
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", sent))] if sent else []
        try:
            connection.sendmsg([json.dumps(request).encode()], rights)
            text, descriptors, _, _ = socket.recv_fds(connection, holder.MESSAGE_BYTES, 1)
        except OSError as error:
            raise HolderError(f"the holder does not answer: {error}") from error
        for received in descriptors:
            os.set_inheritable(received, False)
        answer = json.loads(text) if text else {"error": "the holder closed the connection"}
        if "error" in answer:
            raise HolderError(answer["error"])
        return answer, next(iter(descriptors), None)


def _peer(connection: socket.socket) -> int:
    """Return the process that listens on the other side."""
    size = struct.calcsize("3i")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _ = struct.unpack("3i", credentials)
    if uid != os.geteuid():
        raise HolderError(f"user {uid} listens where our holder should")
    return int(pid)


# --- sockets of replicas -------------------------------------------------------------------


def connect(path: Path, seconds: float, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """Connect to a Unix socket, however long its path. Raises ``OSError``."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection = socket.socket(socket.AF_UNIX, kind)
        try:
            # A Unix socket that does not block is refused where the queue is full: this one waits.
            limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
            connection.settimeout(seconds)
        except BaseException:
            connection.close()
            raise
    finally:
        os.close(folder)
    return connection


def listen(folder: Path, uid: int | None, backlog: int = BACKLOG) -> tuple[Path, int]:
    """Make a replica's socket ``http`` in a folder of its own; return its path and descriptor.

    ``uid`` is who may connect (HAProxy's user) when we are root, else ``None``. Whoever holds a
    socket can shut it down for all, so that each replica gets a fresh one. The folder is closed
    to others, and the socket does not listen, until the file has its owner and its mode. The
    folder above is made so that ``uid`` can pass through it, where it is not there yet.
    """
    if uid is not None and not folder.parent.exists():
        files.make_folder(folder.parent, 0o710)
        os.chown(folder.parent, -1, uid)
    files.make_folder(folder)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if os.path.lexists(folder / NAME):
            os.unlink(NAME, dir_fd=handle)
        os.fchmod(listener.fileno(), 0o600)  # before bind: the file never has another mode
        listener.bind(f"/proc/self/fd/{handle}/{NAME}")  # a path has 107 bytes at most
        if uid is not None:
            os.chown(NAME, uid, uid, dir_fd=handle, follow_symlinks=False)
            os.fchown(handle, -1, uid)
            os.fchmod(handle, 0o710)
        listener.listen(backlog)
        return folder / NAME, listener.detach()
    finally:
        listener.close()
        os.close(handle)
