"""What a node reads of an answer of the platform, however much there is of it."""

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from placet_agent import client
from placet_agent.client import Client, Unreachable
from placet_verify.signing.keys import PrivateKey

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


@contextmanager
def platform(answer: bytes, piece: bytes = b"") -> Iterator[Client]:
    """Answer one request so, and go on with a piece until the node ends the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            wire, _ = server.accept()
            with wire:
                wire.recv(65536)
                wire.sendall(answer)
                while piece:
                    try:
                        wire.sendall(piece)
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        node = Client(f"http://127.0.0.1:{server.getsockname()[1]}", PrivateKey.generate(), "nod_1")
        try:
            yield node
        finally:
            node.close()
            thread.join()


def ask(node: Client) -> None:
    """Ask for something in JSON."""
    node.manifest("sha256:" + "0" * 64)


def test_an_answer_that_is_packed_is_not_unpacked() -> None:
    packed = gzip.compress(bytes(1 << 20))
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with platform(head + packed) as node, pytest.raises(Unreachable, match="packed its answer"):
        ask(node)


def test_an_answer_without_end_is_read_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_JSON", 1 << 20)
    with (
        platform(HEAD + b"\r\n", b" " * 65536) as node,
        pytest.raises(Unreachable, match="more than this node reads"),
    ):
        ask(node)


def test_an_answer_ends_in_time_however_small_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_ANSWER_SECONDS", 0.0)
    with (
        platform(HEAD + b"\r\n", b" ") as node,
        pytest.raises(Unreachable, match="to its end in time"),
    ):
        ask(node)
