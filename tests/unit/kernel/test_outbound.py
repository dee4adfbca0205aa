"""Calls to others end, whatever the other side does."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from placet.kernel import outbound

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"


@pytest.fixture
def trickling(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that says so much at once, and then a byte every twentieth of a second."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            wire, _ = server.accept()
            with wire:
                wire.recv(65536)
                wire.sendall(request.param)
                while not over.wait(0.05):
                    try:
                        wire.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "trickling", [HEAD + b"X-A: ", HEAD + b"\r\n"], indirect=True, ids=["head", "body"]
)
def test_an_answer_in_small_pieces_takes_no_longer_than_it_may(trickling: str) -> None:
    begun = time.monotonic()
    with pytest.raises(outbound.OutboundFailed, match="did not come to its end in time"):
        outbound.post(trickling, body=b"", headers={}, timeout=5, whole=0.5)
    assert time.monotonic() - begun < 3
