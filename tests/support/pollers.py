"""Many nodes that wait for their states over real connections, on one thread of their own.

Each signs its requests with its own key, as an agent does, and asks again once it is answered.
"""

import asyncio
import base64
import json
import random
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import psycopg

from placet_protocol.signing import sign_request
from placet_verify.signing.keys import PrivateKey
from tests.support.processes import until

if TYPE_CHECKING:
    from tests.support.nodes import SimulatedNode

RETRY = 0.25  # as an agent after a failure
COMING = 5.0  # seconds in which the nodes of a crowd that is spread come


@dataclass
class Waiter:
    """A node, what it knows, and when it learned of each state."""

    id: str
    key: PrivateKey
    known: tuple[int, int] = (0, 0)
    learned: dict[tuple[int, int], float] = field(default_factory=dict)

    @classmethod
    def of(cls, node: "SimulatedNode") -> "Waiter":
        """Return one with the key of a node that has joined."""
        return cls(node.id, node.key)

    def request(self, wait: int, *, ago: float = 0, more: tuple[str, ...] = ()) -> bytes:
        """Return a signed poll, as if ``ago`` seconds in the past."""
        path = f"/agent/v1/state?epoch={self.known[0]}&number={self.known[1]}&wait={wait}"
        at = datetime.now(tz=UTC) - timedelta(seconds=ago)
        headers = sign_request(self.key, "GET", path, b"", node=self.id, at=at)
        lines = [f"GET {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += more
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def learn(self, body: bytes) -> None:
        """Take in a state."""
        state = json.loads(base64.b64decode(json.loads(body)["payload"]))
        self.known = state["epoch"], state["number"]
        self.learned[self.known] = time.monotonic()


class Caller:
    """One connection, over which requests are sent and answers read one at a time."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.port = plain.getsockname()[1]
        self.wire = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self.reader = self.wire.makefile("rb")

    def send(self, request: bytes) -> "Caller":
        """Send a request."""
        self.wire.sendall(request)
        return self

    def answer(self, seconds: float = 30) -> tuple[int, bytes]:
        """Return status and body of the next answer."""
        self.wire.settimeout(seconds)
        found = HTTPResponse(self)  # type: ignore[arg-type]
        found.begin()
        return found.status, found.read()

    def makefile(self, mode: str) -> "Caller":
        """Give an answer what it reads from: the buffer stays for the next one."""
        return self

    def __getattr__(self, name: str) -> object:
        return getattr(self.reader, name) if name.startswith("read") else _nothing

    def leave(self) -> None:
        """Go away."""
        self.reader.close()
        self.wire.close()


def _nothing() -> None:
    """What an answer does to its reader when it ends."""


class Ear:
    """Hears which nodes wait, as web processes do."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection, self.heard = connection, Counter[str]()
        connection.execute("LISTEN placet_polls")

    def wait_for(self, *waiters: Waiter, seconds: float = 30) -> None:
        """Wait until each of them waits once more than it was waited for before."""
        wanted = Counter({waiter.id: 1 for waiter in waiters})

        def all_wait() -> bool:
            for notice in self.connection.notifies(timeout=0.1):
                self.heard.update(name.partition(".")[0] for name in notice.payload.split())
            return self.heard >= wanted

        until(all_wait, seconds=seconds, what=f"{len(waiters)} nodes wait")
        self.heard -= wanted


@dataclass
class Crowd:
    """Nodes that poll until the crowd is dissolved."""

    ports: list[int]
    waiters: list[Waiter]
    wait: int = 25
    tls: ssl.SSLContext | None = None
    spread: bool = False  # they come, and their first waits end, one after another, as of agents
    told: Callable[[Waiter], None] = lambda waiter: None  # of each state that a node learns
    answers: Counter[int] = field(default_factory=Counter)  # status -> how often
    failures: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> "Crowd":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        polls = [
            self._poll(waiter, self.ports[number % len(self.ports)])
            for number, waiter in enumerate(self.waiters)
        ]
        # kept: a loop refers to its tasks but weakly
        self._polls = [asyncio.run_coroutine_threadsafe(poll, self._loop) for poll in polls]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._over(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def know(self, count: int = 1) -> bool:
        """Whether every node learned of so many states."""
        return all(len(waiter.learned) >= count for waiter in self.waiters)

    async def _over(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _poll(self, waiter: Waiter, port: int) -> None:
        if self.spread:
            await asyncio.sleep(random.uniform(0, COMING))
        while True:
            try:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1",
                    port,
                    ssl=self.tls,
                    limit=1 << 22,
                    server_hostname="localhost" if self.tls else None,
                )
                try:
                    await self._ask_on(waiter, reader, writer)
                finally:
                    writer.transport.abort()
                    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failures[type(error).__name__] += 1
            await asyncio.sleep(RETRY)

    async def _ask_on(
        self, waiter: Waiter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Poll over one connection until it ends."""
        kept, wait = True, random.randint(1, self.wait) if self.spread else self.wait
        while kept:
            writer.write(waiter.request(wait))
            wait = self.wait
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            status = int(head[0].split()[1])
            self.answers[status] += 1
            if status == 200:
                waiter.learn(body)
                self.told(waiter)
            elif status != 204:
                await asyncio.sleep(RETRY)
            kept = headers.get("connection") != "close"
