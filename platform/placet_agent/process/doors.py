"""The sockets at which requests wait for a revision that sleeps: one that is readable wakes it.

Each is named after the replica that is to take it, lies where that replica's socket will, and is
kept by the holder, so that requests wait while no agent runs. Whoever held a socket can shut it
down for all: one that was handed over is never waited at again, and each sleep makes a fresh one.
A file for each revision says which it is, and whether it was handed over; it outlives the agent.
The agent keeps a descriptor of its own: to see that somebody came, to have another holder keep the
socket where one was lost, and to part with who waited there too long.
"""

import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from placet_agent.downloads.leftovers import remove
from placet_agent.faults import crash_point
from placet_agent.process import sandbox
from placet_agent.process.holding import Holder, HolderError, listen
from placet_agent.state import files

log = logging.getLogger(__name__)


@dataclass
class Door:
    """One such socket."""

    revision: str
    name: str  # of the replica that takes it
    taken: bool = False  # whether it was handed over
    handle: int = -1  # the agent's own descriptor
    knocked_at: float = 0.0  # when somebody came, since nobody waits too long there; 0: nobody did


class Doors:
    """All of this node, by revision. Used by the loop and by threads of replicas."""

    def __init__(self, home: Path, holder: Holder, wake: Callable[[], None]) -> None:
        self.folder, self.sockets = home / "doors", home / "haproxy/sockets"
        self._holder, self._wake = holder, wake
        self._all: dict[str, Door] = {}
        self._lock = threading.RLock()
        self._events = select.epoll()
        self._closing, self._closed = os.pipe()
        self._events.register(self._closing, select.EPOLLIN)
        self._watcher: threading.Thread | None = None

    # --- what there is -----------------------------------------------------------------------

    def adopt(self, alive: Callable[[str], bool]) -> None:
        """Take over those of an earlier agent; ``alive`` tells of a replica that took one.

        A revision whose socket is lost, or was handed to a replica that is gone, sleeps on: it
        gets a fresh one.
        """
        for path in sorted(self.folder.glob("*.json")):
            stored = files.read_hint(path) or {}
            door = Door(path.stem, str(stored.get("name", "")), bool(stored.get("taken")))
            self._all[door.revision] = door
            try:
                if not door.name or (door.taken and not alive(door.name)):
                    raise HolderError("whoever had it is gone")
                door.handle = self._holder.give(door.name)
                self._watch(door)
            except HolderError as error:
                log.info("revision %s sleeps at a fresh socket: %s", door.revision, error)
                self._leave(door)

    def names(self) -> set[str]:
        """Return the names of all that are to be kept."""
        with self._lock:
            return {door.name for door in self._all.values() if door.handle >= 0}

    def revisions(self) -> set[str]:
        """Return all revisions that have one, or are to have a fresh one."""
        with self._lock:
            return set(self._all)

    def of(self, revision: str) -> Door | None:
        """Return where requests for a revision wait; ``None`` where they do not."""
        with self._lock:
            door = self._all.get(revision)
            return door if door is not None and door.handle >= 0 else None

    def asleep(self, revision: str) -> bool:
        """Tell whether a revision was left asleep, with its socket or without."""
        with self._lock:
            door = self._all.get(revision)
            return door is not None and not door.taken

    def knocked(self) -> list[str]:
        """Return the revisions for which somebody came."""
        with self._lock:
            return [door.revision for door in self._all.values() if door.knocked_at]

    # --- their life --------------------------------------------------------------------------

    def open(self, revision: str) -> Door:
        """Return where requests for a revision wait; make it where there is none.

        Raises ``HolderError`` or ``OSError`` where none can be made.
        """
        if (door := self.of(revision)) is not None:
            return door
        door = Door(revision, f"{revision}-{uuid4().hex[:8]}")
        with self._lock:
            self._all[revision] = door
            self._holder.ensure()
            self._save(door)
            crash_point("agent.before_door")
            door.handle = sandbox.above(
                listen(self.sockets / door.name, sandbox.user(sandbox.PROXY_UID))[1]
            )
            try:
                self._holder.keep(door.name, door.handle)
            except BaseException:
                self._leave(door)
                raise
            crash_point("agent.after_door")
            self._watch(door)
        return door

    def stand(self) -> None:
        """Have them kept again where the holder was lost. Raises ``HolderError``."""
        with self._lock:
            untaken = [d for d in self._all.values() if d.handle >= 0 and not d.taken]
            if not untaken or self._holder.alive:
                return
            log.warning("the holder is gone: another one keeps the sockets of who sleeps")
            self._holder.ensure()
            kept = self._holder.names()
            for door in untaken:
                if door.name not in kept:
                    self._holder.keep(door.name, door.handle)

    def hand_over(self, name: str) -> int | None:
        """Return a descriptor of the socket for the replica of that name; ``None``: it has none.

        Raises ``OSError`` where that cannot be written down: it would be waited at again.
        """
        with self._lock:
            door = self._named(name)
            if door is None or door.handle < 0 or door.taken:
                return None
            door.taken = True
            try:
                self._save(door)
            except OSError:
                door.taken = False
                raise
            crash_point("agent.after_door_taken")
            return os.dup(door.handle)

    def close(self, revision: str) -> None:
        """Have nobody wait there any more: who does gets an answer at once, unless a replica took
        the socket, which goes on with it."""
        with self._lock:
            if (door := self._all.pop(revision, None)) is None:
                return
            self._path(door).unlink(missing_ok=True)
            self._leave(door)

    def let_go(self, name: str) -> None:
        """Forget a socket whose replica is gone; its revision gets a fresh one."""
        with self._lock:
            door = self._named(name)
            if door is not None and door.taken:
                self._leave(door)

    def is_spared(self, name: str) -> bool:
        """Tell whether requests wait at the socket of a replica that never had it."""
        with self._lock:
            door = self._named(name)
            return door is not None and door.handle >= 0 and not door.taken

    def part(self, revision: str, seconds: float) -> None:
        """Close the connections of those who waited at a socket for so long, unanswered."""
        with self._lock:
            door = self._all.get(revision)
            if door is None or not door.knocked_at or door.handle < 0:
                return
            if time.monotonic() - door.knocked_at < seconds:
                return
            door.knocked_at = 0.0
            with socket.socket(fileno=os.dup(door.handle)) as listener, suppress(BlockingIOError):
                listener.setblocking(False)
                while True:
                    listener.accept()[0].close()
            self._events.modify(door.handle, select.EPOLLIN | select.EPOLLONESHOT)

    # --- who comes ---------------------------------------------------------------------------

    def stop(self) -> None:
        """Look no longer; the sockets stay."""
        os.write(self._closed, b"x")

    def _watch(self, door: Door) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._look, name="doors", daemon=True)
            self._watcher.start()
        self._events.register(door.handle, select.EPOLLIN | select.EPOLLONESHOT)

    def _look(self) -> None:
        while True:
            for handle, _ in self._events.poll():
                if handle == self._closing:
                    return
                with self._lock:
                    door = next((d for d in self._all.values() if d.handle == handle), None)
                    if door is not None:
                        door.knocked_at = door.knocked_at or time.monotonic()
            self._wake()

    # --- on disk -----------------------------------------------------------------------------

    def _named(self, name: str) -> Door | None:
        return next((door for door in self._all.values() if door.name == name), None)

    def _path(self, door: Door) -> Path:
        return self.folder / f"{door.revision}.json"

    def _save(self, door: Door) -> None:
        files.make_folder(self.folder)
        files.write_json(self._path(door), {"name": door.name, "taken": door.taken}, durable=False)

    def _leave(self, door: Door) -> None:
        """Let go of the agent's own descriptor, and of the socket where no replica took it."""
        if door.handle >= 0:
            with suppress(OSError):
                self._events.unregister(door.handle)
            os.close(door.handle)
        door.handle, door.knocked_at = -1, 0.0
        if not door.taken and door.name:
            with suppress(HolderError):
                self._holder.drop(door.name)
            remove(self.sockets / door.name)
        door.taken = False
