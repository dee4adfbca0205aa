"""A replica that can only listen on a port is served through its socket all the same."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from placet_agent.process import holding, procs
from placet_agent.reports import counting
from tests.integration.agent.outside import until
from tests.integration.agent.test_relay import (
    ORDINARY_UID,
    REPLICA_UID,
    World,
    Worlds,
    both,
    installed,
    worlds,
)

__all__ = ["installed", "worlds"]  # fixtures
PORT = 23000
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make the networks here")


def said(world: World, word: bytes = b"hello") -> bytes:
    """Send a word through the replica's socket; return what comes back."""
    with holding.connect(Path(world.found["path"]), 20) as client:
        try:
            client.sendall(word)
            client.shutdown(socket.SHUT_WR)
            found = b""
            while data := client.recv(65536):
                found += data
        except OSError as error:
            return type(error).__name__.encode()
        return found


def count(world: World) -> counting.Count:
    """Return what the link has written down."""
    found = counting.read(world.folder / "link" / "counts.json")
    return found.get("link", counting.Count())


@both
def test_requests_reach_the_replicas_own_port(worlds: Worlds, uid: int) -> None:
    world = worlds(uid=uid, port=PORT)
    assert "error" not in world.found
    assert said(world) in (b"", b"ConnectionResetError", b"BrokenPipeError"), "nobody listens yet"
    until(lambda: count(world).failed == 1, "that is counted")
    assert world.do("serve", port=PORT) == "serving"
    assert said(world) == b"hello"
    large = os.urandom(1 << 20)
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(said(world, large))) for _ in "1234"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [large] * 4
    until(lambda: count(world).connections == 5, "they are counted")
    assert count(world).bytes_in == count(world).bytes_out == 5 + 4 * len(large)


@both
def test_the_link_keeps_nothing_that_the_replica_could_use(worlds: Worlds, uid: int) -> None:
    world = worlds(uid=uid, port=PORT)
    status = Path(f"/proc/{world.found['link'][0]}/status").read_text()
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    user = str(uid or 60603)
    assert found["Uid"].split() == found["Gid"].split() == [user] * 4
    assert found["NoNewPrivs"] == "1"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"):
        assert int(found[kind], 16) == 0, kind
    link, replica = (f"/proc/{world.found[part][0]}/ns" for part in ("link", "replica"))
    assert Path(link, "net").readlink() == Path(replica, "net").readlink()
    for kind in ("pid", "ipc", "mnt"):
        assert Path(link, kind).readlink() != Path(replica, kind).readlink(), kind
    inside = Path(f"/proc/{world.found['replica'][0]}/net")
    for table in ("tcp", "tcp6", "udp", "udp6"):
        lines = (inside / table).read_text().splitlines()
        assert len(lines) == 1, "it listens on nothing inside"
    assert "@" not in (inside / "unix").read_text()


@both
def test_the_link_ends_with_its_replica(worlds: Worlds, uid: int) -> None:
    world = worlds(uid=uid, port=PORT)
    assert world.do("serve", port=PORT) == "serving"
    with holding.connect(Path(world.found["path"]), 20) as client:
        client.sendall(b"word")
        assert client.recv(4) == b"word"
        world.ref("replica").signal(signal.SIGKILL)
        assert procs.wait_gone(world.ref("link"), 10)
        assert client.recv(4) == b""
    assert count(world).connections == 1


@both
def test_on_the_hosts_network_only_the_replicas_own_port_is_connected_to(
    worlds: Worlds, uid: int
) -> None:
    """One of our own, or of a neighbour, who takes the port first is never asked."""
    world = worlds(uid=uid, port=PORT, shared=True)
    assert world.do("serve", port=PORT) == "serving"
    assert said(world) == b"hello"
    assert said(world) == b"hello"
    until(lambda: count(world).connections == 2, "both are counted")
    assert count(world).refused == 0


@both
def test_a_neighbour_who_took_the_port_gets_no_request(worlds: Worlds, uid: int) -> None:
    neighbour = REPLICA_UID + 1 if uid == 0 else ORDINARY_UID
    world = worlds(uid=uid, port=PORT, shared=True, neighbour=neighbour)
    assert world.do("ask", host="127.0.0.1", port=PORT, send=1).startswith("127.0.0.1")
    assert said(world) in (b"", b"ConnectionResetError", b"BrokenPipeError")
    until(lambda: count(world).refused == 1, "it is counted")
    assert "the replica's own socket does not listen" in count(world).reason
    assert count(world).connections == 0
