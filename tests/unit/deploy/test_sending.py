"""What a thread sends while its client takes it: real sockets of TCP, and shorter waits."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from placet.web import sending, slow_clients
from placet.web.sending import Sending, unsent
from placet.web.slow_clients import SECONDS, SlowClients

MUCH = 8 << 20  # bytes: more than the kernel has room for


def among(threads: int) -> Any:
    """A worker with work for a thread more than it has, and three connections without work."""
    return SimpleNamespace(
        cfg=SimpleNamespace(threads=threads),
        nr_conns=threads + 1 + 3,
        idle=[1, 2, 3],
    )


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection with small buffers, which is looked at ten times a second."""
    monkeypatch.setattr(sending, "LOOK", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        ours, _ = listener.accept()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ours, client:
        yield ours, client


Pair = tuple[socket.socket, socket.socket]


def gather(client: socket.socket, count: int) -> bytes:
    """Take so many bytes."""
    found = bytearray()
    while len(found) < count and (piece := client.recv(65536)):
        found += piece
    return bytes(found)


@pytest.mark.parametrize("as_file", [False, True])
def test_a_client_that_takes_it_gets_all_of_it(pair: Pair, tmp_path: Path, as_file: bool) -> None:
    ours, client = pair
    whole = bytes(range(256)) * 4096
    (tmp_path / "file").write_bytes(b"before" + whole + b"after")
    one, got = Sending(ours, SlowClients(among(2))), list[bytes]()
    taker = threading.Thread(target=lambda: got.append(gather(client, len(whole))))
    taker.start()
    if as_file:
        with (tmp_path / "file").open("rb") as file:
            one.sendfile(file, 6, len(whole))
    else:
        one.sendall(whole)
    taker.join()
    assert got == [whole]
    assert ours.gettimeout() is None, "gunicorn reads from it as before"


@pytest.mark.parametrize("as_file", [False, True])
def test_a_client_that_takes_nothing_is_ended(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_file: bool
) -> None:
    monkeypatch.setattr(slow_clients, "SECONDS", 0.3)
    monkeypatch.setattr(slow_clients, "RATE", 1 << 30)
    ours, client = pair
    (tmp_path / "file").write_bytes(bytes(MUCH))
    one = Sending(ours, SlowClients(among(2)))
    with (tmp_path / "file").open("rb") as file, pytest.raises(BrokenPipeError):
        if as_file:
            one.sendfile(file, 0, MUCH)
        else:
            one.sendall(bytes(MUCH))
    assert one.left <= 0
    ours.close()
    with pytest.raises(ConnectionResetError):  # what it had not taken went
        gather(client, MUCH)


def test_what_is_taken_gives_time_for_a_minute_at_most(pair: Pair) -> None:
    ours, client = pair
    one = Sending(ours, SlowClients(among(2)))
    assert one.left == SECONDS == 20
    taker = threading.Thread(target=gather, args=(client, MUCH))
    taker.start()
    one.sendall(bytes(MUCH))
    taker.join()
    assert 50 < one.left <= 60


def test_what_the_kernel_holds_is_not_taken(pair: Pair) -> None:
    ours, client = pair
    ours.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += ours.send(bytes(4096))
    assert 0 < unsent(ours) < sent
    gather(client, sent)
    while unsent(ours):  # until the kernel has heard that all of it came
        pass


def test_where_more_than_half_of_the_threads_wait_those_that_take_least_go(pair: Pair) -> None:
    worker = among(4)
    slow = SlowClients(worker)
    found = [Sending(pair[0], slow) for _ in range(5)]
    for taken, waited, one in zip((50, 200, 10, 900, 0), (2, 2, 2, 20, 0.01), found, strict=True):
        one._moved, one._waited = taken, waited
    for one in found[:2]:
        slow.begin(one)
    assert [slow.excess(one) for one in found[:2]] == [False, False]
    for one in found[2:4]:
        slow.begin(one)
    assert [slow.excess(one) for one in found[:4]] == [True, False, True, False]
    slow.end(found[2])
    slow.begin(found[4])
    assert [slow.excess(one) for one in found] == [True, False, False, True, False], "too new"
    worker.nr_conns -= 1
    assert not any(slow.excess(one) for one in found), "nobody waits for a thread"
