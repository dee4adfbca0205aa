"""Connections that end after their answer: real sockets, no threads, and a clock that is moved."""

import selectors
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from placet.web.leaving import Leaving
from tests.unit.deploy.conftest import Clock


class Worker:
    """What leaving needs of gunicorn's worker, with one connection and its client's end of it."""

    origin = b"client"

    def __init__(self) -> None:
        self.poller, self.nr_conns, self.closed = selectors.DefaultSelector(), 1, False
        self.sock, self.client = socket.socketpair()
        self.leaving = Leaving(self)

    def turn(self) -> None:
        """Look at the sockets once."""
        for key, _ in self.poller.select(0):
            key.data(key.fileobj)
        self.leaving.end_late()

    def close(self) -> None:
        """Close the connection: the worker stands for it, too."""
        self.closed = True
        self.sock.close()

    @property
    def ended(self) -> bool:
        """Whether it was closed; then nothing of it is left."""
        assert (self.nr_conns, len(self.leaving), len(self.poller.get_map())) == (
            (0, 0, 0) if self.closed else (1, 1, 1)
        )
        return self.closed


@pytest.fixture
def worker(clock: Clock) -> Iterator[Any]:
    made = Worker()
    yield made
    for end in (made.sock, made.client, made.poller):
        end.close()


def test_a_client_sees_the_end_at_once_and_has_two_seconds_to_end_its_side(
    worker: Worker, clock: Clock
) -> None:
    worker.sock.sendall(b"answer")
    worker.leaving.take(worker)
    assert (worker.client.recv(100), worker.client.recv(100)) == (b"answer", b"")
    clock.now += 1.9
    worker.client.sendall(b"more")
    worker.turn()
    assert not worker.ended
    clock.now += 0.2
    worker.turn()
    assert worker.ended


@pytest.mark.parametrize("before", [True, False])
def test_one_whose_client_has_ended_its_side_goes_at_once(worker: Worker, before: bool) -> None:
    if before:
        worker.client.shutdown(socket.SHUT_WR)
        worker.leaving.take(worker)
    else:
        worker.leaving.take(worker)
        worker.client.shutdown(socket.SHUT_WR)
        worker.turn()
    assert worker.ended


def test_one_that_goes_on_sending_is_read_for_64_kb(worker: Worker) -> None:
    worker.leaving.take(worker)
    for turn in range(9):
        assert not worker.ended, turn
        worker.client.sendall(b"x" * 8192)
        worker.turn()
    assert worker.ended


def test_one_that_is_closed_already_harms_nobody(worker: Worker) -> None:
    worker.sock.close()
    worker.leaving.take(worker)
    assert worker.ended
