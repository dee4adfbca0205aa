"""What a thread sends while its client takes it: real sockets of TCP, and shorter waits."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet import sending
from placet.sending import SECONDS, Senders, Sending, unsent

MUCH = 8 << 20  # bytes: more than the kernel has room for


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
    one, got = Sending(ours, Senders(2)), list[bytes]()
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
    monkeypatch.setattr(sending, "SECONDS", 0.3)
    monkeypatch.setattr(sending, "RATE", 1 << 30)
    ours, client = pair
    (tmp_path / "file").write_bytes(bytes(MUCH))
    one = Sending(ours, Senders(2))
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
    one = Sending(ours, Senders(2))
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


def test_where_more_than_half_of_the_threads_wait_those_with_least_time_go(pair: Pair) -> None:
    senders = Senders(4)
    found = [Sending(pair[0], senders) for _ in range(4)]
    for left, one in zip((5, 20, 1, 60), found, strict=True):
        one.left = left
    for one in found[:2]:
        senders.begin(one)
    assert [senders.excess(one) for one in found[:2]] == [False, False]
    for one in found[2:]:
        senders.begin(one)
    assert [senders.excess(one) for one in found] == [True, False, True, False]
    senders.end(found[2])
    assert [senders.excess(one) for one in found] == [True, False, False, False]
