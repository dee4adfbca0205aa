"""No client gets a tunnel through HAProxy: it would outlive the key that opened it."""

import base64
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from placet_agent.haproxy import config
from tests.integration.agent.conftest import PATH
from tests.integration.agent.sockets import Gateway, listen

KEY = "open-sesame"
WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Switching:
    """A replica that goes on with another protocol, whatever it was asked, and echoes then."""

    def __init__(self, folder: Path, name: str) -> None:
        self.asked: list[bytes] = []
        self._listener = listen(folder, name)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(wire,), daemon=True).start()

    def _answer(self, wire: socket.socket) -> None:
        with wire:
            self.asked.append(asked := wire.recv(65536))
            wire.sendall(switched(asked))
            while piece := wire.recv(65536):
                wire.sendall(b"echo " + piece)

    def stop(self) -> None:
        """Take nobody any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def switched(asked: bytes) -> bytes:
    """Return an answer that HAProxy believes: RFC 6455, 4.2.2, or of a protocol of its own."""
    lines = dict(line.lower().split(b": ", 1) for line in asked.split(b"\r\n")[1:-2])
    key = lines.get(b"sec-websocket-key")
    said = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
    if key is None:
        return said + b"Upgrade: ours\r\n\r\n"
    whole = b"dGhlIHNhbXBsZSBub25jZQ==" + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(whole, usedforsecurity=False).digest())
    return said + b"Upgrade: websocket\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with ExitStack() as stack:
        yield Gateway(tmp_path / "haproxy", stack)


@pytest.fixture
def replica(gateway: Gateway) -> Switching:
    """What serves behind an endpoint with a key."""
    made = Switching(gateway.folder, "one")
    gateway.stack.callback(made.stop)
    gateway.place("rev_1", "one")
    gateway.entry.locked, gateway.entry.keys = True, (hashlib.sha256(KEY.encode()).hexdigest(),)
    gateway.serve()
    return made


def answer(gateway: Gateway, headers: str, method: str = "GET", path: str = f"{PATH}/x") -> str:
    """Ask with a key, and say more afterwards, as through a tunnel; return all that comes back
    until HAProxy ends, or waits for another request."""
    asked = f"{method} {path} HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\n{headers}\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), 30) as one:
        one.sendall(asked.encode())
        said = one.recv(65536)
        one.sendall(b"more\r\n\r\n")  # no request: HAProxy answers it and ends
        while piece := one.recv(65536):
            said += piece
            if b"echo " in said:
                break
    return said.decode(errors="replace")


def test_a_websocket_is_refused_with_a_reason(gateway: Gateway, replica: Switching) -> None:
    said = answer(gateway, WEBSOCKET)
    assert said.startswith("HTTP/1.1 501 ")
    assert '"code": "no_upgrade"' in said
    assert replica.asked == []


def test_who_has_no_key_learns_nothing_else(gateway: Gateway, replica: Switching) -> None:
    gateway.entry.keys = ()
    gateway.proxy.apply()
    assert answer(gateway, WEBSOCKET).startswith("HTTP/1.1 401 ")


@pytest.mark.parametrize("protocol", ["h2c", "ours", "ours, h2c", "TLS/1.2"])
def test_of_any_other_protocol_the_replica_hears_nothing_and_its_tunnel_is_not_taken(
    gateway: Gateway, replica: Switching, protocol: str
) -> None:
    said = answer(gateway, f"Connection: Upgrade\r\nUpgrade: {protocol}\r\n")
    assert said.startswith("HTTP/1.1 502 ")
    assert "echo" not in said
    assert '"code": "bad_gateway"' in said
    assert b"upgrade" not in replica.asked[0].lower()
    assert b"connection: close\r\n" in replica.asked[0]


def test_connect_opens_nothing(gateway: Gateway, replica: Switching) -> None:
    for path in ("replica:80", f"{PATH}/x"):
        assert answer(gateway, "", "CONNECT", path)[9:12] in ("400", "404")
    assert replica.asked == []


def test_nobody_begins_http_2(gateway: Gateway, replica: Switching) -> None:
    """Over such a connection a HAProxy that was replaced would go on answering by its old keys."""
    with socket.create_connection(("127.0.0.1", gateway.port), 30) as one:
        one.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
        said = b""
        while piece := one.recv(65536):
            said += piece
    assert said.startswith(b"HTTP/1.1 400 ")
    assert replica.asked == []


def test_a_haproxy_that_gave_tunnels_is_replaced_by_the_agent_that_gives_none(
    gateway: Gateway, replica: Switching, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.proxy.process.stop()
    with monkeypatch.context() as former:
        former.setattr(config, "LAYOUT", 6)
        former.setattr(config, "_no_tunnels", lambda: iter(()))
        gateway.again()
        gateway.serve()
        assert "echo" in answer(gateway, WEBSOCKET)
        before = gateway.proxy.process.ref
    gateway.again()
    gateway.serve()
    assert gateway.proxy.process.ref != before
    assert answer(gateway, WEBSOCKET).startswith("HTTP/1.1 501 ")
