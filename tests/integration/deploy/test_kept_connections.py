"""Clients that keep their connection get their own answer to each request, in order, whatever the
server made of the one before: over the real gunicorn, alone and behind a proxy."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import hypothesis
import pytest

from placet_agent.haproxy.process import find_binary
from tests.integration.agent.conftest import free_port
from tests.integration.deploy.test_web import ROOT, wait_listening
from tests.support.factories import person, token_for
from tests.support.processes import database_url
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)
PROVING = hypothesis.settings.default.max_examples > 100
REQUESTS, CLIENTS = (10_000 if PROVING else 1_000), 4
MODELS = "/api/v1/projects/risk/models"
PROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:{front}
  default_backend web
backend web
  http-reuse always
  server web 127.0.0.1:{back}
"""


@dataclass(frozen=True)
class Asked:
    """One request: what is sent, in packets, and the status that answers it."""

    name: str
    packets: list[bytes]
    status: int


@dataclass
class Web:
    """A web process on the test's database, and a proxy before it."""

    port: int
    proxied: int
    token: str
    version: str
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def ask(self, name: str, number: str) -> Asked:
        """Return a request of a kind, with its own id."""
        method, path, body, headers, status = self.kinds()[name]
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"X-Request-ID: {number}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        if body and "Transfer-Encoding" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        if "Transfer-Encoding" in headers:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return Asked(name, [head, body] if body else [head], status)

    def kinds(self) -> dict[str, tuple[str, str, bytes, dict[str, str], int]]:
        """Each kind: method, path, body, headers, and the status that is right."""
        mine = {"Authorization": f"Bearer {self.token}"}
        json, finalise = {"Content-Type": "application/json"}, f"{self.version}/finalise"
        return {
            "read": ("GET", MODELS, b"", mine, 200),
            "made": ("POST", MODELS, b'{"name": "churn"}', mine | json, 409),
            "not read": ("POST", finalise, b"{}", mine | json, 409),
            "refused": ("POST", MODELS, b'{"name": "x"}', json, 401),
            "refused, large": ("POST", MODELS, b"x" * 300_000, json, 401),
            "nowhere": ("POST", "/api/v1/nothing", b"{}" * 50, mine | json, 404),
            "no such method": ("DELETE", MODELS, b"{}", mine | json, 405),
            "another type": ("POST", MODELS, b"a=1", mine | {"Content-Type": "text/plain"}, 415),
            "too large": ("POST", MODELS, b" " * 2_200_000, mine | json, 413),
            "in pieces": ("POST", finalise, b"{}",
                          mine | json | {"Transfer-Encoding": "chunked"}, 409),
            "page": ("POST", "/tokens/new", b"name=x", {}, 403),
        }  # fmt: skip


@pytest.fixture
def web(world: World, tmp_path: Path) -> Iterator[Web]:
    """Gunicorn as it is shipped, and HAProxy before it."""
    ada = person("Adele", roles={"contributor": world.project})
    world.version()
    port, front = free_port(), free_port()
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}", "PLACET_DATABASE_URL": database_url(),
        "PLACET_PROCESS": "web", "PLACET_DATA_DIR": str(tmp_path / "data"),
        "PLACET_LISTEN": f"127.0.0.1:{port}", "WEB_CONCURRENCY": "1",
        "PLACET_TOKEN_REQUESTS_PER_MINUTE": "0", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    log = (tmp_path / "web.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "platform/deploy/gunicorn.conf.py")],
        env=environment, cwd=ROOT, text=True, stdout=log, stderr=log,
    )  # fmt: skip
    (tmp_path / "haproxy.cfg").write_text(PROXY.format(front=front, back=port))
    proxy = subprocess.Popen([find_binary(), "-f", str(tmp_path / "haproxy.cfg")])
    try:
        wait_listening(process, port)
        wait_listening(proxy, front)
        yield Web(port, front, token_for(ada), f"{MODELS}/churn/versions/1")
    finally:
        for ended in (process, proxy):
            ended.terminate()
            ended.wait(30)
        log.close()


class Answers:
    """What comes over one connection: answers behind one another, read by one buffer."""

    def __init__(self, wire: socket.socket) -> None:
        self.reader = wire.makefile("rb")

    def makefile(self, mode: str) -> Any:
        """Give an answer all that comes, and keep the buffer when it has read its own."""
        return SimpleNamespace(
            read=self.reader.read, readline=self.reader.readline, readinto=self.reader.readinto,
            close=lambda: None, flush=lambda: None,
        )  # fmt: skip


class Client:
    """One client: keeps its connection, and writes down every answer that is not right."""

    def __init__(self, web: Web, number: int, port: int, requests: int) -> None:
        self.web, self.number, self.port, self.requests = web, number, port, requests
        self.rng, self.wrong, self.told = random.Random(number), list[str](), Counter[str]()

    def run(self) -> None:
        """Ask until all were answered; a connection ends only when an answer says so."""
        sent = 0
        while sent < self.requests:
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as wire:
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                kept, answers = True, Answers(wire)
                while kept and sent < self.requests:
                    if self.rng.random() < 0.02:
                        self._leave(wire)
                        break
                    count = self.rng.choice([1, 1, 1, 1, 2, 5])
                    kept = self._ask(wire, answers, sent, count)
                    sent += count

    def _leave(self, wire: socket.socket) -> None:
        """Go away in the middle of a body."""
        wire.sendall(b"POST /api/v1/nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx")
        self.told["left"] += 1

    def _ask(self, wire: socket.socket, answers: Answers, first: int, count: int) -> bool:
        names = list(self.web.kinds())
        small = [n for n in names if "large" not in n]
        asked = [
            self.web.ask(self.rng.choice(names if count == 1 else small), self._id(first + n))
            for n in range(count)
        ]
        if count == 1:
            with contextlib.suppress(ConnectionError):  # the answer says what was wrong with it
                for packet in asked[0].packets:
                    wire.sendall(packet)
        else:
            wire.sendall(b"".join(packet for one in asked for packet in one.packets))
        return all(self._answered(answers, one, self._id(first + n)) for n, one in enumerate(asked))

    def _id(self, number: int) -> str:
        return str(UUID(int=self.number * 1_000_000 + number))

    def _answered(self, answers: Answers, asked: Asked, number: str) -> bool:
        answer = HTTPResponse(answers)  # type: ignore[arg-type]
        try:
            answer.begin()
            answer.read()
        except Exception as error:
            self.wrong.append(f"{asked.name}: {type(error).__name__} {error}")
            return False
        got = (answer.status, answer.headers["X-Request-ID"])
        if got != (asked.status, number):
            self.wrong.append(f"{asked.name} {number}: {got}")
        self.told[asked.name] += 1
        return not answer.will_close


def test_every_request_on_a_kept_connection_has_its_own_answer(web: Web) -> None:
    clients = [
        Client(web, n, (web.port, web.proxied)[n % 2], REQUESTS // CLIENTS) for n in range(CLIENTS)
    ]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = [line for client in clients for line in client.wrong]
    told = sum((client.told for client in clients), Counter[str]())
    assert not wrong, f"{len(wrong)} of {told.total()}: " + "; ".join(wrong[:10])
    assert set(told) == {*web.kinds(), "left"}
