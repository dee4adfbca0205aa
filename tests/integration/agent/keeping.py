"""Replicas that keep their connections, as HAProxy meets them."""

import json
import os
import re
import select
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from placet_agent.haproxy import sockets
from placet_agent.reports.metrics import parse_line
from tests.integration.agent.conftest import PATH
from tests.integration.agent.sockets import Gateway, listen
from tests.support.processes import until


@dataclass
class KeepingReplica:
    """Answers with its name, over connections that it never closes by itself."""

    folder: Path
    name: str
    heard: list[str] = field(default_factory=list)  # the path of each request
    heads: list[str] = field(default_factory=list)
    wires: list[socket.socket] = field(default_factory=list)  # all that were accepted
    more: bytes = b""  # said after each answer
    answering: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answering.set()
        self._listener = listen(self.folder, self.name)
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                self.wires.append(wire)
                threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        body = json.dumps({"name": self.name}).encode()
        with suppress(OSError):
            while asked := wire.recv(65536):
                self.heads.append(asked.partition(b"\r\n\r\n")[0].decode())
                self.heard.append(asked.split()[1].decode())
                self.answering.wait()
                self._take(wire, asked)
                head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
                wire.sendall(head + body + self.more)
                if b"connection: close" in asked:
                    break
        wire.close()

    def _take(self, wire: socket.socket, asked: bytes) -> None:
        """Read what the request's body has yet."""
        head, _, body = asked.partition(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head)
        left = int(size[1]) - len(body) if size else 0
        while left > 0 and (more := wire.recv(65536)):
            left -= len(more)

    def die(self) -> None:
        """Close all there is, in the middle of what is under way."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for wire in self.wires:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
        self.answering.set()


class Keeping(Gateway):
    """A gateway before replicas that keep connections."""

    def keeping(self, revision: str, name: str) -> KeepingReplica:
        """Start a replica and place it."""
        made = KeepingReplica(self.folder, name)
        self.stack.callback(made.die)
        self.lead(revision, name)
        return made

    def lead(self, revision: str, name: str, *, keeps: bool = True) -> None:
        """Lead requests for the revision to the replica too."""
        address = sockets.socket_of(name)
        self.proxy.table.ensure_server(self.entry, revision, name, address, keeps=keeps)

    def drop(self, name: str) -> None:
        """Have the replica's server be nobody's."""
        self.proxy.table.drop_server(name)
        self.proxy.apply()

    def whos(self, count: int = 5) -> list[str]:
        """Ask over so many new connections; return who answered."""
        return [self.who() for _ in range(count)]

    def begin(self) -> tuple[threading.Thread, list[str]]:
        """Ask in a thread; return it, and the list that the answer will stand in."""
        answers = list[str]()
        thread = threading.Thread(target=lambda: answers.append(self.who()))
        thread.start()
        return thread, answers

    def pipe(self, address: str = "127.0.0.1") -> socket.socket:
        """Return a connection of a client at this address."""
        made = socket.create_connection(("127.0.0.1", self.port), 10, (address, 0))
        self.stack.callback(made.close)
        return made


class Log:
    """What HAProxy writes of requests from now on."""

    def __init__(self, gateway: Gateway) -> None:
        self._pipe = os.open(gateway.folder / "log.fifo", os.O_RDWR | os.O_NONBLOCK)
        gateway.stack.callback(os.close, self._pipe)
        self._seen: list[int] = []

    def wait_statuses(self, *wanted: int) -> None:
        """Wait until these are the statuses of all requests since."""
        until(lambda: self._read() == [*wanted], 10, f"{wanted}, where {self._seen} were logged,")

    def _read(self) -> list[int]:
        if select.select([self._pipe], [], [], 0)[0]:
            lines = os.read(self._pipe, 65536).decode().splitlines()
            self._seen += [line.status for line in map(parse_line, lines) if line]
        return self._seen


def asking(path: str, *headers: str) -> bytes:
    """Return the head of a POST."""
    lines = (f"POST {PATH}{path} HTTP/1.1", "Host: a", *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
