"""Clients that send half of a request, or one without end, hold no thread from others: over the
real gunicorn, which needs no database for this."""

import os
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.agent.conftest import free_port
from tests.integration.deploy.test_web import ROOT, gunicorn, wait_listening

HALF = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: b"
ASKED = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
CLIENTS = 40


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a web process with two threads listens."""
    where = free_port()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PLACET_")}
    process = gunicorn(clean | {
        "PLACET_PROCESS": "web", "WEB_CONCURRENCY": "1", "PLACET_WEB_THREADS": "2",
        "PLACET_DATA_DIR": str(tmp_path_factory.mktemp("data")), "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}", "PLACET_LISTEN": f"127.0.0.1:{where}",
        "PLACET_DATABASE_URL": "postgresql://placet@127.0.0.1:1/placet",
    })  # fmt: skip
    wait_listening(process, where)
    yield where
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert "Traceback" not in said


def asks(port: int) -> float:
    """Ask whether it lives; return the seconds that the answer took."""
    begun = time.monotonic()
    assert httpx.get(f"http://127.0.0.1:{port}/livez", timeout=30).json() == {"status": "ok"}
    return time.monotonic() - begun


@pytest.fixture
def many(port: int) -> Iterator[list[socket.socket]]:
    """Clients of which each has a connection."""
    found = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(CLIENTS)]
    yield found
    for one in found:
        one.close()


@pytest.mark.parametrize("before", [b"", ASKED], ids=["at once", "behind a request"])
def test_who_sends_half_a_head_holds_no_thread(
    port: int, many: list[socket.socket], before: bytes
) -> None:
    asks(port)
    for one in many:
        one.sendall(before + HALF)
    assert asks(port) < 5
    for one in many:  # and each is answered when its head is whole
        one.sendall(b"\r\n\r\n")
        said = b""
        while said.count(b'{"status": "ok"}') < 1 + bool(before):
            said += (more := one.recv(65536))
            assert more, said


def test_a_head_may_come_in_pieces(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        for byte in ASKED:
            one.sendall(bytes([byte]))
        assert one.recv(65536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("after", [b"", b"1;", b"0\r\nX: "], ids=["size", "extension", "trailer"])
def test_a_line_between_chunks_has_an_end(port: int, after: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        one.sendall(CHUNKED + after)
        with pytest.raises(OSError):
            for _ in range(2000):  # 128 MB
                one.sendall(b"0" * 65536)
    assert asks(port) < 5
