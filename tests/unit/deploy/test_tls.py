"""TLS over a connection of a web process: what it may cost, and how it ends."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from placet.web import tls
from placet.web.tls import BARREN, PIECE, Wire
from tests.support.certificates import Authority

Pair = tuple[Wire, socket.socket, ssl.SSLContext]


class Mute:
    """TLS that takes everything and gives nothing, as under updates of keys without end."""

    def read(self, size: int) -> bytes:
        """Want more."""
        raise ssl.SSLWantReadError


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """The server's end, the client's socket, and what the client trusts."""
    authority = Authority(tmp_path)
    chain, key, _ = authority.issue("web")
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(chain, key)
    here, there = socket.socketpair()
    with here, ExitStack() as ends:
        ends.callback(there.close)
        theirs = ssl.create_default_context(cafile=str(authority.ca))
        theirs.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # which Python 3.11 sets
        yield Wire(here, ours), there, theirs


@pytest.fixture
def both(pair: Pair) -> Iterator[tuple[Wire, ssl.SSLSocket]]:
    """Both ends after their handshake, neither of which waits."""
    wire, there, trust = pair
    wire.setblocking(False)
    there.setblocking(False)
    client = trust.wrap_socket(there, server_hostname="localhost", do_handshake_on_connect=False)
    for _ in range(20):
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        with pytest.raises(ssl.SSLWantReadError):
            wire.recv(1)
    assert client.version() == "TLSv1.3"
    with client:
        yield wire, client


def test_what_is_sent_comes_whichever_side_begins(
    both: tuple[Wire, ssl.SSLSocket],
) -> None:
    wire, client = both
    wire.setblocking(True)
    client.sendall(b"a" * 20_000)
    came = wire.recv(1 << 14)
    assert (len(came), wire.pending() > 0) == (1 << 14, True)
    assert came + wire.recv(1 << 14) == b"a" * 20_000
    assert wire.pending() == 0
    wire.sendall(b"b" * 10_000)
    assert client.recv(1 << 14) == b"b" * 10_000


def test_a_piece_that_the_kernel_does_not_take_is_sent_once(
    both: tuple[Wire, ssl.SSLSocket],
) -> None:
    wire, client = both
    whole, sent, came = bytes(range(256)) * 8192, 0, b""
    while len(came) < len(whole):
        with suppress(ssl.SSLWantWriteError):
            while sent < len(whole):
                sent += wire.send(whole[sent:])
        with suppress(ssl.SSLWantReadError):
            came += client.recv(1 << 16)
    assert came == whole


def test_tls_that_brings_nothing_costs_one_reading_at_a_time_and_then_ends(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, there, _ = pair
    monkeypatch.setattr(wire, "_tls", Mute())
    wire.setblocking(False)
    there.sendall(b"x" * (2 * BARREN))
    for _ in range(BARREN // PIECE):
        with pytest.raises(ssl.SSLWantReadError):
            wire.recv(1)
    with pytest.raises(ConnectionAbortedError):
        wire.recv(1)


def test_a_thread_waits_for_no_tls_that_brings_nothing(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, there, _ = pair
    monkeypatch.setattr(wire, "_tls", Mute())
    there.sendall(b"x" * (2 * BARREN))
    wire.settimeout(60)
    with pytest.raises(ConnectionAbortedError):
        wire.recv(1)


def test_a_record_that_comes_byte_by_byte_has_the_time_of_one_reading(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, and all of them do not."""
    wire = pair[0]
    now = [1000.0]

    class Slow:
        def recv(self, size: int) -> bytes:
            now[0] += 5
            return b"x"

        def gettimeout(self) -> float:
            return 20.0

        def settimeout(self, seconds: float) -> None:
            assert seconds <= 20

    monkeypatch.setattr(wire, "_tls", Mute())
    monkeypatch.setattr(wire, "_sock", Slow())
    monkeypatch.setattr(tls, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with pytest.raises(TimeoutError):
        wire.recv(1)
    assert now == [1020.0]


@pytest.mark.parametrize("whole", [True, False])
def test_that_an_answer_was_whole_is_said_of_whole_ones_alone(
    both: tuple[Wire, ssl.SSLSocket], *, whole: bool
) -> None:
    wire, client = both
    client.suppress_ragged_eofs = False
    wire.sendall(b"answer")
    assert client.recv(100) == b"answer"
    wire.shutdown(socket.SHUT_WR if whole else socket.SHUT_RDWR)
    if whole:
        assert client.recv(100) == b""
    else:
        with pytest.raises(OSError, match=r"EOF|Broken pipe|SYS"):
            client.recv(100)


def test_what_is_no_tls_is_an_error_of_its_own_connection(
    pair: Pair,
) -> None:
    wire, there, _ = pair
    there.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        wire.recv(100)
