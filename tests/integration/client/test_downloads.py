"""A download over a line that breaks: the real command, the real API, and what stands between."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from placet_client.cli import main
from tests.support.commands import folder
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)
BIG, CUT = 9 << 20, 4 << 20


class Line:
    """Passes connections on to a server, and ends the first ones after so many bytes each."""

    def __init__(self, port: int, *cuts: int) -> None:
        self.port, self.cuts, self.passed = port, list(cuts), 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it begins."""
        return f"http://localhost:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Take nobody any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.port), 60) as server:
            up = threading.Thread(target=copy, args=(client, server), daemon=True)
            up.start()
            with suppress(OSError):
                self._down(server, client)
            with suppress(OSError):
                # At once: a close waits until the other thread's ``recv`` returns.
                client.shutdown(socket.SHUT_RDWR)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        left = self.cuts.pop(0) if self.cuts else 1 << 40
        while left > 0 and (piece := server.recv(min(65536, left))):
            client.sendall(piece)
            self.passed, left = self.passed + len(piece), left - len(piece)


def copy(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes."""
    with suppress(OSError):
        while piece := one.recv(65536):
            other.sendall(piece)


@pytest.fixture
def line(live_server: Any) -> Iterator[Line]:
    """One to this test's server."""
    made = Line(urlsplit(live_server.url).port or 80, CUT, CUT)
    yield made
    made.close()


def test_a_file_comes_whole_over_a_line_that_breaks_twice(
    world: World, home: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, to = folder(home), home / "weights.bin"
    (out / "weights.bin").write_bytes(bytes(range(256)) * (BIG // 256))
    register = ["model", "register", "--project", "risk", "--name", "age", "--from", str(out)]
    assert main(register) == 0
    monkeypatch.setenv("PLACET_URL", line.url)
    assert main(["version", "download", "risk/age:1", "weights.bin", str(to)]) == 0
    assert to.read_bytes() == (out / "weights.bin").read_bytes()
    assert line.cuts == []
    assert line.passed < BIG + (1 << 20), "nothing came twice"
