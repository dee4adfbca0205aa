"""The web process of that release as it is shipped, and nodes that wait for their states."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx

from apps.serving.actions import create_target
from apps.serving.desired import sign_state
from apps.serving.models import DesiredState
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_agent.protocol import sign_request
from tests.integration.agent.conftest import free_port
from tests.integration.deploy.test_web import ROOT
from tests.nodes import SimulatedNode
from tests.processes import database_url, until


CONFIGURATION = str(ROOT / "platform/deploy/gunicorn.conf.py")


@dataclass
class Web:
    """A web process on the test's database."""

    port: int
    log: Path

    def page(self, seconds: float = 15) -> bool:
        """Tell whether a page that asks the database is answered in this time."""
        url = f"http://localhost:{self.port}/accounts/login/"
        try:
            return httpx.get(url, timeout=seconds).status_code == 200
        except httpx.TimeoutException:
            return False


@contextmanager
def gunicorn(folder: Path) -> Iterator[Web]:
    """Gunicorn with its own configuration: one process with its 16 threads."""
    port = free_port()
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "PLACET_DATABASE_URL": database_url(),
        "PLACET_PROCESS": "web",
        "PLACET_DATA_DIR": str(folder / "data"),
        "PLACET_LISTEN": f"127.0.0.1:{port}",
        "WEB_CONCURRENCY": "1",
        "PYTHONWARNINGS": "ignore",
    }
    path = folder / "web.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", CONFIGURATION],
            env=environment,
            cwd=ROOT,
            text=True,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: listens(port), seconds=180, what="it listens")
        yield Web(port, path)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # what waits on its threads would have it linger
        process.wait(60)


def listens(port: int) -> bool:
    """Tell whether a port takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@dataclass
class Waiter:
    """A node that has joined, and knows the state of its target."""

    node: SimulatedNode
    known: tuple[int, int]

    @classmethod
    def made(cls, name: str) -> "Waiter":
        """Have a node join a target of its own."""
        target = create_target(name=name, actor=SYSTEM)
        node = SimulatedNode.joined(target)
        sign_state(target.pk)
        rows = DesiredState.objects.filter(target=target)
        return cls(node, rows.values_list("epoch", "number").get())

    def poll(self, port: int) -> socket.socket:
        """Ask for another state, and wait for it up to 25 s."""
        path = f"/agent/v1/state?epoch={self.known[0]}&number={self.known[1]}&wait=25"
        headers = sign_request(self.node.key, "GET", path, b"", node=self.node.id, at=now())
        lines = [f"GET {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        wire = socket.create_connection(("127.0.0.1", port), timeout=30)
        wire.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        return wire


def ended(wires: list[socket.socket], seconds: float) -> int:
    """Return how many of those who wait were answered within so many seconds."""
    answered: set[socket.socket] = set()
    while waiting := [wire for wire in wires if wire not in answered]:
        ready, _, _ = select.select(waiting, [], [], seconds)
        if not ready:
            break
        answered |= set(ready)
    return len(answered)


class Answers:
    """What comes over one connection: answers behind one another, read by one buffer."""

    def __init__(self, wire: socket.socket) -> None:
        self.reader = wire.makefile("rb")

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *error: object) -> None:
        self.reader.close()

    def makefile(self, mode: str) -> Any:
        """Give an answer what it reads from: the buffer stays for the next one."""
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name) if name.startswith("read") else lambda: None

    def status(self) -> int:
        """Return the status of the next answer; 0 when the connection ended without one."""
        answer = HTTPResponse(self)  # type: ignore[arg-type]
        try:
            answer.begin()
            answer.read()
        except (OSError, ValueError, EOFError):
            return 0
        except Exception as error:
            if type(error).__name__ not in {"RemoteDisconnected", "BadStatusLine"}:
                raise
            return 0
        return answer.status
