"""The clock of connections, which tests move, and how a client begins TLS."""

import ssl

import pytest

from placet.web import idle, patience, queued, worker


class Clock:
    """The time as the modules under test see it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (idle, patience, queued, worker):
        monkeypatch.setattr(module, "time", made)
    return made


def hello() -> bytes:
    """Return what a client begins TLS with."""
    there, trust = ssl.MemoryBIO(), ssl.create_default_context()
    client = trust.wrap_bio(ssl.MemoryBIO(), there, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return there.read()
