"""Who listens on a port of the host, as the kernel says it in either of two ways."""

import os
import socket
from collections.abc import Iterator

import pytest

from placet_agent.process import owners
from placet_agent.process.procs import ProcessRef


@pytest.fixture(params=["asked", "read"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ask the kernel, or read its tables where it cannot be asked."""

    def refuse(port: int) -> None:
        raise OSError("this way is closed")

    monkeypatch.setattr(owners, "asked" if request.param == "read" else "read", refuse)
    yield


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_who_listens_on_a_port_is_found(host: str) -> None:
    # For both families where it can: beside a socket for IPv6 alone, another may listen by IPv4.
    both = ":" in host
    family = socket.AF_INET6 if both else socket.AF_INET
    with socket.create_server((host, 0), family=family, dualstack_ipv6=both) as server:
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
    with socket.create_server(("0.0.0.0", 0)) as everywhere:  # a port that nobody has
        port = everywhere.getsockname()[1]
    with socket.create_server(("127.0.0.2", port)) as server:
        assert owners.listening(server.getsockname()[1]) == []


def test_a_socket_of_our_own_is_not_the_replicas_though_the_user_is_the_same() -> None:
    me = ProcessRef(os.getpid(), 0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert owners.PortOwner(me, os.geteuid()).sockets_of(port) == frozenset()
        assert owners.PortOwner(me, os.geteuid() + 1).sockets_of(port) == frozenset()


def test_workers_of_a_replica_may_share_its_port_and_nobody_else_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = {1, 2}
    monkeypatch.setattr(owners, "_held", lambda replica, inode: inode in ours)
    monkeypatch.setattr(owners, "listening", lambda port: list(sockets))
    me, other = os.geteuid(), os.geteuid() + 1
    owner = owners.PortOwner(ProcessRef(os.getpid(), 0), me)
    sockets = [owners.Listening(me, 1), owners.Listening(me, 2)]
    assert owner.sockets_of(80) == {1, 2}
    sockets.append(owners.Listening(me, 3))
    assert owner.sockets_of(80) == frozenset(), "one of the same user, but of another replica"
    sockets[-1] = owners.Listening(other, 3)
    assert owner.sockets_of(80) == frozenset()
    sockets.pop()
    ours.remove(2)
    sockets[:] = [owners.Listening(me, 1)]
    assert owner.sockets_of(80) == {1}
    sockets.append(owners.Listening(me, 2))
    assert owner.sockets_of(80) == frozenset(), "a number that is another's by now is asked again"
    assert owners.PortOwner(ProcessRef(os.getpid(), 0), other).sockets_of(80) == frozenset()
