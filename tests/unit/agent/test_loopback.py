"""Listening for what a replica may reach."""

import socket

from placet_agent import loopback
from placet_verify.permit.serving import Destination


def test_the_next_relay_listens_though_the_last_one_closed_a_connection_first() -> None:
    """Which then waits for a minute at the very address."""
    port = _used_once(0)
    assert _used_once(port) == port


def _used_once(port: int) -> int:
    """Listen, close a connection before its client does, and listen no more."""
    with loopback._listener("127.0.0.1", Destination("127.0.0.1", port)) as listener:
        used = int(listener.getsockname()[1])
        with socket.create_connection(("127.0.0.1", used)) as client:
            listener.accept()[0].close()
            assert client.recv(1) == b""
    return used
