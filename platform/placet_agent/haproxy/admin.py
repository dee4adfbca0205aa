"""Speaks to HAProxy's admin socket: reads what it really does, tells it what it should do."""

import csv
import os
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from placet_agent.haproxy import quoting

_FORCED_MAINTENANCE, _CONFIGURED_MAINTENANCE, _FORCED_DRAIN = 0x01, 0x04, 0x08
_NOBODY = (FileNotFoundError, ConnectionRefusedError)
_SILENT = (TimeoutError, BlockingIOError)  # the latter where its queue is full
_BATCH = 6000  # bytes of commands in one line; HAProxy takes a buffer of 16 kB


class AdminError(Exception):
    """HAProxy does not answer, or refuses a command."""


class Silent(AdminError):
    """Somebody listens on the socket and does not answer in time."""


class Nobody(AdminError):
    """Nobody listens on the socket: no HAProxy takes requests here, whoever still ends some."""


@dataclass(frozen=True)
class ServerState:
    """One server, as HAProxy sees it."""

    up: bool  # takes new requests
    drained: bool
    maintenance: bool


@dataclass(frozen=True)
class BackendCounters:
    """Requests that ended in one backend, and those under way."""

    total: int
    current: int


class Admin:
    """The socket ``admin.sock`` in HAProxy's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ask(self, command: str, *, timeout: float = 5.0) -> str:
        """Send one line (or one command with a payload) and return the whole answer."""
        try:
            with self._connect(timeout) as connection:
                connection.sendall(command.encode() + b"\n")
                chunks = []
                while chunk := connection.recv(65536):
                    chunks.append(chunk)
        except OSError as error:
            kinds = ((_NOBODY, Nobody), (_SILENT, Silent), (OSError, AdminError))
            kind = next(kind for errors, kind in kinds if isinstance(error, errors))
            raise kind(f"HAProxy does not answer on its socket: {error}") from error
        return b"".join(chunks).decode()

    def _connect(self, timeout: float) -> socket.socket:
        """Connect through the folder's descriptor: a socket's path may have 107 bytes only."""
        handle = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout)
                connection.connect(f"/proc/self/fd/{handle}/admin.sock")
            except OSError:
                connection.close()
                raise
        finally:
            os.close(handle)
        return connection

    def tell(self, commands: Iterable[str]) -> str:
        """Send many commands in as few lines as possible; return the answers together."""
        answers, batch, size = [], list[str](), 0
        for command in commands:
            if size + len(command) > _BATCH:
                answers.append(self.ask(";".join(batch)))
                batch, size = [], 0
            batch.append(command)
            size += len(command) + 1
        if batch:
            answers.append(self.ask(";".join(batch)))
        return "".join(answers)

    def info(self, *, timeout: float = 5.0) -> dict[str, str]:
        """Return ``show info``."""
        answer = self.ask("show info", timeout=timeout)
        pairs = (line.partition(": ") for line in answer.splitlines())
        return {key: value for key, colon, value in pairs if colon}

    def servers(self) -> dict[str, ServerState]:
        """Return every server by ``backend/server``."""
        rows = _table(self.ask("show servers state"))
        return {f"{row['be_name']}/{row['srv_name']}": _server(row) for row in rows}

    def map(self, name: str) -> dict[str, str]:
        """Return what a map holds."""
        entries = {}
        for line in self.ask(quoting.command("show", "map", name)).splitlines():
            parts = line.split(" ", 2)  # an internal pointer, the key, the value
            if len(parts) == 3:
                entries[parts[1]] = parts[2]
        return entries

    def replace_map(self, name: str, entries: dict[str, str]) -> None:
        """Replace the whole content of a map in one step."""
        answer = self.ask(quoting.command("prepare", "map", name)).strip()
        if not answer.startswith("New version created: "):
            raise AdminError(f"HAProxy does not prepare {name}: {answer}")
        version = answer.rpartition(" ")[2]
        lines = [quoting.map_line(key, value) for key, value in entries.items()]
        for start in range(0, len(lines), 64):
            payload = "".join(lines[start : start + 64])
            head = quoting.command("add", "map", f"@{version}", name)
            refused = self.ask(f"{head} <<\n{payload}").strip()
            if refused:
                raise AdminError(f"HAProxy does not take an entry of {name}: {refused}")
        refused = self.ask(quoting.command("commit", "map", f"@{version}", name)).strip()
        if refused:
            raise AdminError(f"HAProxy does not commit {name}: {refused}")

    def sessions(self, name: str) -> int:
        """Return how many requests are under way on ``backend/server``, queued ones included."""
        backend, server = name.split("/")
        for row in _csv(self.ask(quoting.command("show", "stat", backend, "4", "-1"))):
            if row["svname"] == server:
                return int(row["scur"] or 0) + int(row["qcur"] or 0)
        raise AdminError(f"HAProxy has no server {name}")

    def backends(self, names: Collection[str] | None = None) -> dict[str, BackendCounters]:
        """Return the counters of every backend, or of some."""
        asked = ["-1"] if names is None else names
        text = self.tell(quoting.command("show", "stat", name, "2", "-1") for name in asked)
        return {
            row["pxname"]: BackendCounters(int(row["req_tot"] or 0), int(row["scur"] or 0))
            for table in text.split("\n\n")
            if table.strip()
            for row in _csv(table)
        }


def _server(row: dict[str, str]) -> ServerState:
    flags, running = int(row["srv_admin_state"]), row["srv_op_state"] == "2"
    held = bool(flags & _FORCED_MAINTENANCE)
    drained = bool(flags & _FORCED_DRAIN)
    return ServerState(
        up=running and not held and not drained,
        drained=drained and not held,
        maintenance=held,
    )


def _table(text: str) -> list[dict[str, str]]:
    lines = text.splitlines()
    head = next((line for line in lines if line.startswith("# be_id")), "")
    if not head:
        raise AdminError("HAProxy gave no list of servers")
    names = head.removeprefix("# ").split()
    return [
        dict(zip(names, line.split(), strict=False))
        for line in lines
        if line and line[0].isdigit() and " " in line
    ]


def _csv(text: str) -> list[dict[str, str]]:
    if not text.startswith("# "):
        raise AdminError(f"HAProxy gave no statistics: {text.strip()[:200]}")
    return list(csv.DictReader(text.removeprefix("# ").strip().splitlines()))
