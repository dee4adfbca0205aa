"""Who waits for news, and goes away in the very turn of the loop in which there is some."""

import io
import logging
import selectors
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from placet.kernel.waiting import Wait
from placet.web.tls import Wire
from placet.web.waiting_room import Held, WaitingRoom


class Poll(Wait):
    """Waits until a test has news for it."""

    news: Callable[[], None]
    ended = 0

    def begin(self, news: Callable[[], None]) -> None:
        self.news = news

    def end(self) -> None:
        self.ended += 1


class Worker:
    """What a room needs of gunicorn's worker; a test does what other threads ask of it."""

    worker_connections, alive, nr_conns = 10, True, 1
    cfg = SimpleNamespace(threads=4)  # one answers those who wait

    def __init__(self) -> None:
        self.poller, self.log = selectors.DefaultSelector(), logging.getLogger("web")
        self.asked: list[Any] = []
        self.enqueued: list[Any] = []
        self.method_queue = SimpleNamespace(defer=lambda *call: self.asked.append(call))
        self.enqueue_req = self.enqueued.append

    def turn(self, seconds: float = 1) -> None:
        """Do what one look at the sockets brings: first what other threads asked for, then what
        the clients did, which the same look has found."""
        ready = self.poller.select(seconds)
        for act, *words in self.asked:
            act(*words)
        for key, _ in ready:
            key.data(key.fileobj)


class Conn:
    """A connection whose client waits, and the client's end of it."""

    def __init__(self, worker: Worker, room: WaitingRoom | None = None) -> None:
        self.sock, self.client = socket.socketpair()
        self.parser = SimpleNamespace(unreader=SimpleNamespace(buf=io.BytesIO()))
        self.closed, self.poll = False, Poll(seconds=25.0)
        self.room = room or WaitingRoom(worker)
        self.room.take(self, Held(object(), self.poll, (), []))

    def close(self) -> None:
        self.closed = True
        self.sock.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    with made.poller:
        yield made


@pytest.fixture
def conn(worker: Worker) -> Iterator[Conn]:
    made = Conn(worker)
    yield made
    made.close()
    made.client.close()


@pytest.mark.parametrize("goes", [True, False])
def test_a_client_that_goes_or_sends_as_its_news_come_harms_nobody(
    worker: Worker, conn: Conn, goes: bool
) -> None:
    conn.poll.news()
    if goes:
        conn.client.close()
    else:
        conn.client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    worker.turn()
    assert (worker.enqueued, conn.poll.ended) == ([conn], 1)  # a thread answers, and reads on
    assert (conn.closed, conn.parser.unreader.buf.getvalue()) == (False, b"")


def test_what_goes_wrong_with_one_that_waits_ends_that_one(
    worker: Worker, conn: Conn, caplog: pytest.LogCaptureFixture
) -> None:
    conn.client.sendall(b"G")
    conn.parser = SimpleNamespace()
    worker.turn()
    assert (worker.enqueued, conn.closed, len(worker.poller.get_map())) == ([], True, 0)
    assert "unreader" in caplog.text


def test_a_client_that_goes_while_it_waits_is_forgotten(worker: Worker, conn: Conn) -> None:
    conn.client.close()
    worker.turn()
    assert (worker.enqueued, conn.poll.ended, conn.closed) == ([], 1, True)


class Chatty:
    """TLS that has much to say to whatever comes and brings nothing, as under requests for new
    keys without end."""

    def __init__(self, came: ssl.MemoryBIO, goes: ssl.MemoryBIO) -> None:
        self.came, self.goes = came, goes

    def read(self, size: int) -> bytes:
        """Answer what came, and want more."""
        if self.came.read():
            self.goes.write(bytes(1 << 15))
        raise ssl.SSLWantReadError


def test_a_client_that_takes_nothing_of_what_tls_has_to_say_is_ended(
    worker: Worker, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is found readable at every look, and none of them reads it."""
    wire = Wire(conn.sock, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    monkeypatch.setattr(wire, "_tls", Chatty(wire._came, wire._goes))
    monkeypatch.setattr(conn, "sock", wire)
    for _ in range(100):
        if not conn.closed:
            conn.client.sendall(b"x")
            worker.turn()
    assert (worker.enqueued, conn.poll.ended, conn.closed) == ([], 1, True)
    assert len(worker.poller.get_map()) == 0


@pytest.mark.parametrize("when", ["news", "late", "all"])
@pytest.mark.parametrize("what", ["wait", "thread"])
def test_one_that_cannot_be_answered_is_ended_and_the_next_is_answered(
    worker: Worker, conn: Conn, when: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError(f"no {what}")

    if what == "wait":
        conn.poll.end = fails  # type: ignore[method-assign]
    else:
        worker.enqueue_req = fails  # type: ignore[assignment]
    if when == "news":
        conn.poll.news()
        worker.turn(0)
    elif when == "late":
        conn.poll.seconds = 0.0
        conn.room.answer_late()
    else:
        conn.room.answer_all()
    assert (conn.closed, worker.nr_conns, len(worker.poller.get_map())) == (True, 0, 0)
    assert f"no {what}" in caplog.text
    worker.enqueue_req = worker.enqueued.append
    with closing(Conn(worker, conn.room)) as next_one, next_one.client:
        conn.room.answer_all()
        assert worker.enqueued == [next_one]
