"""Who listens on a port of the host, as the kernel says it in either of two ways."""

import os
import socket
from collections.abc import Iterator

import pytest

from placet_agent import owners
from placet_agent.procs import ProcessRef


@pytest.fixture(params=["asked", "read"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ask the kernel, or read its tables where it cannot be asked."""

    def refuse(port: int) -> None:
        raise OSError("this way is closed")

    monkeypatch.setattr(owners, "asked" if request.param == "read" else "read", refuse)
    yield


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_who_listens_on_a_port_is_found(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        inode = os.fstat(server.fileno()).st_ino
        assert owners.listening(port) == [owners.Listening(os.geteuid(), inode)]
    assert owners.listening(port) == []


def test_a_neighbour_who_listens_for_ipv6_alone_does_not_confuse_who_asks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_server(("::", port), family=socket.AF_INET6):
            inode = os.fstat(server.fileno()).st_ino
            assert owners.listening(port) == [owners.Listening(os.geteuid(), inode)]


def test_who_listens_on_another_address_takes_no_connection_to_this_one() -> None:
    with socket.create_server(("127.0.0.2", 0)) as server:
        assert owners.listening(server.getsockname()[1]) == []


def test_a_socket_of_our_own_is_not_the_replicas_though_the_user_is_the_same() -> None:
    me = ProcessRef(os.getpid(), 0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert owners.Owner(me, os.geteuid()).socket_of(port) is None
        assert owners.Owner(me, os.geteuid() + 1).socket_of(port) is None
