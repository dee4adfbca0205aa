"""What waits for the head of a request: real sockets, no threads, and a clock that is moved."""

import selectors
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from placet import heads
from placet.heads import Heads
from placet.idle import Idle


class Clock:
    """The time as the modules under test see it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(heads, "time", made)
    return made


class Worker:
    """What heads need of gunicorn's worker."""

    worker_connections = 8

    def __init__(self) -> None:
        self.poller, self.asked = selectors.DefaultSelector(), list[Any]()
        self.enqueue_req, self.nr_conns = self.asked.append, 0
        self.heads, self.idle = Heads(self), Idle(self.worker_connections // 2)
        self.idle.kinds.append(self.heads)

    def turn(self) -> None:
        """Look at the sockets once."""
        for key, _ in self.poller.select(0):
            key.data(key.fileobj)


class Conn:
    """A new connection, and its client's end."""

    def __init__(self, worker: Worker, said: bytes = b"") -> None:
        self.sock, self.client = socket.socketpair()
        self.parser = SimpleNamespace(unreader=SimpleNamespace(unread=self.begin))
        self.said, self.closed = b"", False
        worker.nr_conns += 1
        self.client.sendall(said)
        worker.heads.take(self)

    def begin(self, said: bytes) -> None:
        """Take note of what a thread begins with."""
        self.said = said

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
    assert (worker.asked, conns[0].said) == ([conns[0]], b"GET / HTTP/1.1\r\n\r\nGET")


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
