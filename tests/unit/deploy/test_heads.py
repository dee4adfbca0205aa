"""What waits for the head of a request: real sockets, no threads, and a clock that is moved."""

import logging
import selectors
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from placet.web import heads
from placet.web.heads import MOST, Heads
from placet.web.idle import Idle
from placet.web.leaving import Leaving
from placet.web.slow_clients import SlowClients
from placet.web.tls import Wire
from tests.support.certificates import Authority
from tests.unit.deploy.conftest import Clock, hello


class Worker:
    """What heads need of gunicorn's worker."""

    worker_connections = 8

    def __init__(self) -> None:
        self.poller, self.asked = selectors.DefaultSelector(), list[Any]()
        self.enqueue_req, self.nr_conns = self.asked.append, 0
        self.heads, self.idle = Heads(self), Idle(self.worker_connections // 2)
        self.leaving, self.log = Leaving(self), logging.getLogger("web")
        self.slow = SlowClients(self)
        self.idle.kinds.append(self.heads)

    def turn(self) -> None:
        """Look at the sockets once."""
        for key, _ in self.poller.select(0):
            key.data(key.fileobj)
        self.heads.shake_hands()


class Conn:
    """A new connection, and its client's end."""

    def __init__(
        self,
        worker: Worker,
        said: bytes = b"",
        *,
        context: ssl.SSLContext | None = None,
        origin: bytes = b"client",
    ) -> None:
        wire, self.client = socket.socketpair()
        self.origin = origin
        self.sock: Any = wire
        if context:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            self.sock = Wire(wire, context)
        self.parser = SimpleNamespace(unreader=SimpleNamespace(unread=self.begin))
        self.begun, self.closed = b"", False
        worker.nr_conns += 1
        self.client.sendall(said)
        worker.heads.take(self)

    def begin(self, said: bytes) -> None:
        """Take note of what a thread begins with."""
        self.begun = said

    def close(self) -> None:
        self.closed = True
        self.sock.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    with made.poller:
        yield made


@pytest.fixture
def conns(worker: Worker) -> Iterator[list[Conn]]:
    made: list[Conn] = []
    yield made
    for conn in made:
        conn.sock.close()
        conn.client.close()


def test_a_head_that_is_whole_is_answered_in_the_same_turn(
    worker: Worker, conns: list[Conn]
) -> None:
    conns.append(Conn(worker, b"GET / HTTP/1.1\r\n\r\nGET"))
    assert (worker.asked, conns[0].begun) == ([conns[0]], b"GET / HTTP/1.1\r\n\r\nGET")


def test_one_that_does_not_come_ends_after_its_time_however_it_trickles(
    worker: Worker, conns: list[Conn], clock: Clock
) -> None:
    conns.append(Conn(worker))
    for _ in range(19):
        clock.now += 1
        conns[0].client.sendall(b"x")
        worker.turn()
        worker.heads.end_late()
    assert (conns[0].closed, worker.nr_conns, worker.asked) == (False, 1, [])
    clock.now += 1
    worker.heads.end_late()
    assert (conns[0].closed, worker.nr_conns, worker.asked) == (True, 0, [])


def test_where_half_of_the_connections_wait_so_the_oldest_goes(
    worker: Worker, conns: list[Conn]
) -> None:
    for _ in range(5):
        conns.append(Conn(worker))
        worker.idle.bound()
    assert [conn.closed for conn in conns] == [True, False, False, False, False]


def test_in_a_process_that_ends_half_a_head_has_less_time(
    worker: Worker, conns: list[Conn], clock: Clock
) -> None:
    conns += [Conn(worker, b"GET / HTTP/1.1\r\n") for _ in range(2)]
    worker.heads.hurry(1)
    conns.append(Conn(worker))
    clock.now += 0.9
    conns[0].client.sendall(b"\r\n")
    worker.turn()
    worker.heads.end_late()
    assert (worker.asked, [conn.closed for conn in conns]) == ([conns[0]], [False] * 3)
    clock.now += 0.2
    worker.heads.end_late()
    assert [conn.closed for conn in conns] == [False, True, True]


def test_one_that_has_come_whole_as_its_time_is_up_is_answered(
    worker: Worker, conns: list[Conn], clock: Clock
) -> None:
    conns.append(Conn(worker))
    clock.now += 21
    conns[0].client.sendall(head(40_000))
    worker.heads.end_late()
    assert (worker.asked, conns[0].closed) == (conns, False)


@pytest.mark.parametrize("over", [0, 1])
def test_one_of_64_kb_is_taken_and_of_more_refused(
    worker: Worker, conns: list[Conn], over: int
) -> None:
    said = head(MOST + over)
    conns.append(Conn(worker))
    for at in range(0, len(said), 9000):
        conns[0].client.sendall(said[at : at + 9000])
        worker.turn()
    if over:
        assert conns[0].client.recv(100).startswith(b"HTTP/1.1 431 ")
        assert conns[0].client.recv(100) == b"", "and the connection ends"
        assert (worker.asked, len(worker.leaving), worker.nr_conns) == ([], 1, 1)
    else:
        assert (worker.asked, conns[0].begun == said) == (conns, True)


def head(size: int) -> bytes:
    """Return a whole head of so many bytes."""
    return b"GET / HTTP/1.1\r\nX: ".ljust(size - 4, b"a") + b"\r\n\r\n"


def test_what_goes_wrong_with_one_ends_that_one(
    worker: Worker, conns: list[Conn], caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Any) -> None:
        raise RuntimeError("no thread")

    conns += [Conn(worker), Conn(worker)]
    worker.enqueue_req = fails
    conns[0].client.sendall(head(100))
    worker.turn()
    assert [conn.closed for conn in conns] == [True, False]
    assert (worker.nr_conns, len(worker.heads), len(worker.poller.get_map())) == (1, 1, 1)
    assert "no thread" in caplog.text


def shaken(client: ssl.SSLSocket) -> bool:
    """Bring the client's side of a handshake forward; tell whether it is done."""
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def test_a_handshake_may_be_more_than_the_kernel_buffers(
    worker: Worker, conns: list[Conn], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    chain, key, _ = authority.issue("web")
    with chain.open("a") as more:
        more.write(100 * authority.ca.read_text())
    ours, theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    ours.load_cert_chain(chain, key)
    theirs.load_verify_locations(authority.ca)
    conn = Conn(worker, context=ours)
    conns.append(conn)
    conn.client.setblocking(False)
    conn.client = theirs.wrap_socket(
        conn.client, server_hostname="localhost", do_handshake_on_connect=False
    )
    turns = 0
    while turns < 1000 and not shaken(conn.client):
        worker.turn()
        turns += 1
    assert 1 < turns < 1000, "else the kernel took it in one piece, or nobody wrote on"
    conn.client.sendall(head(100))
    worker.turn()
    assert worker.asked == [conn]


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """What a web process begins TLS with."""
    chain, key, _ = Authority(tmp_path).issue("web")
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(chain, key)
    return made


def answered(conn: Conn) -> bool:
    """Tell whether the server has gone on with a handshake."""
    conn.client.setblocking(False)
    try:
        return conn.client.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return False


def test_of_many_handshakes_each_client_has_one_before_any_has_a_second(
    worker: Worker, conns: list[Conn], context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HANDSHAKES", 0)  # one in a turn
    conns += [Conn(worker, hello(), context=context, origin=b"many") for _ in range(4)]
    conns.append(Conn(worker, hello(), context=context, origin=b"honest"))
    seen = []
    for _ in conns:
        worker.turn()
        seen.append([answered(conn) for conn in conns].index(True))
        conns[seen[-1]].client.recv(1 << 16)
    assert seen == [0, 4, 1, 2, 3]


def test_handshakes_wait_for_all_else_that_came(
    worker: Worker, conns: list[Conn], context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HANDSHAKES", 0)
    conns += [Conn(worker, hello(), context=context) for _ in range(2)]
    plain = Conn(worker)
    conns.append(plain)
    plain.client.sendall(head(100))
    worker.enqueue_req = lambda _: seen.append([answered(conn) for conn in conns[:2]])
    seen: list[list[bool]] = []
    worker.turn()
    assert seen == [[False, False]]
    worker.turn()
    assert answered(conns[0]) and answered(conns[1])


def test_no_handshake_is_brought_forward_for_one_that_ends(
    worker: Worker, conns: list[Conn], context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "HANDSHAKES", 60)
    conns += [Conn(worker, hello(), context=context) for _ in range(5)]
    worker.idle.bound()
    with pytest.raises(ConnectionResetError):
        conns[0].client.recv(1)
    worker.turn()
    assert all(answered(conn) for conn in conns[1:])
