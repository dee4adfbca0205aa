"""When gunicorn's worker ends a connection that it keeps: real sockets, and no threads."""

import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from placet.idle import Idle, Resting
from placet.web_worker import Worker


class Kept:
    """A connection that is kept, and its client's end."""

    def __init__(self, worker: Any, *, idle: bool) -> None:
        self.sock, self.client = socket.socketpair()
        worker.ends += [self.sock, self.client]
        self.timeout = time.monotonic() + (-1 if idle else 60)
        worker.keepalived_conns.append(self)
        worker.nr_conns += 1
        worker.poller.register(self.sock, selectors.EVENT_READ)

    def close(self) -> None:
        """End it."""
        self.sock.close()

    @property
    def ended(self) -> bool:
        """Whether its client sees that it has ended."""
        self.client.setblocking(False)
        try:
            return self.client.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def worker() -> Iterator[Any]:
    """A worker that takes note of which connections it has a request of."""
    made: Any = Worker.__new__(Worker)
    made.alive, made.worker_connections, made.nr_conns = True, 8, 0
    made.keepalived_conns, made.poller = deque(), selectors.DefaultSelector()
    made.room = SimpleNamespace(answer_late=lambda: None)
    made.asked, made.ends, made.cfg = [], [], SimpleNamespace(is_ssl=False)
    made.heads = SimpleNamespace(take=made.asked.append, end_late=lambda: None)
    made.leaving, made.idle = SimpleNamespace(end_late=lambda: None), Idle(4)
    made.idle.kinds = [Resting(made, made.keepalived_conns, made.on_client_socket_readable)]
    yield made
    for end in made.ends:
        end.close()
    made.poller.close()


def test_one_that_nobody_uses_is_ended_and_others_stay(worker: Any) -> None:
    idle, used = Kept(worker, idle=True), Kept(worker, idle=False)
    worker.murder_keepalived()
    assert (idle.ended, used.ended, worker.nr_conns) == (True, False, 1)
    assert list(worker.keepalived_conns) == [used]


def test_a_request_that_came_at_the_last_moment_is_answered(worker: Any) -> None:
    late, idle = Kept(worker, idle=True), Kept(worker, idle=True)
    late.client.sendall(b"G")
    worker.murder_keepalived()
    assert (worker.asked, late.ended, idle.ended) == ([late], False, True)
    assert (worker.nr_conns, len(worker.poller.get_map())) == (1, 0)


def test_where_half_of_the_connections_are_kept_the_oldest_go(worker: Any) -> None:
    kept = [Kept(worker, idle=False) for _ in range(6)]
    kept[1].client.sendall(b"G")
    worker.murder_keepalived()
    assert [conn.ended for conn in kept] == [True, False, False, False, False, False]
    assert worker.asked == [kept[1]]


def test_a_worker_that_ends_keeps_none(worker: Any) -> None:
    used, asking = Kept(worker, idle=False), Kept(worker, idle=False)
    asking.client.sendall(b"G")
    worker.alive = False
    worker.murder_keepalived()
    assert (used.ended, worker.asked) == (True, [asking])
