"""A replica reaches what people approved, by the address that was judged, and nothing else."""

import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from placet_agent import pump, relay
from placet_agent.process import holding, launching, procs
from placet_agent.process.procs import ProcessRef
from placet_agent.reports import counting
from placet_verify.permit.serving import Destination
from tests.integration.agent import outside
from tests.integration.agent.outside import (
    ECHOES,
    HOST,
    HOST6,
    INTERNET,
    INTERNET6,
    METADATA,
    NAT64,
    PRIVATE,
    REPORTS,
    until,
)

PLATFORM = Path(__file__).resolve().parents[3] / "platform"
REPLICA_UID, ORDINARY_UID = 60610, 61500
NAME = "db.example.org"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make the networks of this test"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="there is no ip (iproute2) here"),
]


@dataclass
class World:
    """An internet, a host, a replica on it and its relay."""

    process: "subprocess.Popen[str]"
    folder: Path
    found: dict[str, Any]
    uid: int  # the agent's

    def do(self, what: str, **how: Any) -> Any:
        """Have the replica do something; return what it says."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def ask(self, host: str, port: int = REPORTS, send: int = 0) -> str:
        """Return which address answered the replica, or the error that it met."""
        return str(self.do("ask", host=host, port=port, send=send)).split(" ")[0]

    def resolve(self, *lines: str) -> None:
        """Let names lead elsewhere from now on, as the host sees it."""
        (self.folder / "names").write_text("127.0.0.1 localhost\n" + "\n".join(lines) + "\n")

    def ref(self, part: str) -> ProcessRef:
        """Return one of the processes."""
        return ProcessRef(*self.found[part])

    def counts(self, name: str) -> counting.Count:
        """Return what the relay has written down."""
        found = counting.read(self.folder / "egress" / "counts.json")
        return found.get(name, counting.Count())


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """The agent's own code where every user may read it."""
    with tempfile.TemporaryDirectory(prefix="placet-") as name:
        Path(name).chmod(0o755)
        for package in ("placet_agent", "placet_protocol", "placet_verify"):
            shutil.copytree(PLATFORM / package, Path(name, package))
        yield Path(name)


class Worlds:
    """Those that a test has made."""

    def __init__(self, installed: Path) -> None:
        self.installed = installed
        self.made: list[World] = []

    def __call__(self, *egress: str, uid: int = 0, **more: Any) -> World:
        """Make a world in which a replica may reach these."""
        folder = Path(tempfile.mkdtemp(prefix="placet-"))
        folder.chmod(0o755)
        os.chown(folder, uid, uid)
        (folder / "names").write_text("127.0.0.1 localhost\n")
        spec = {
            "platform": str(self.installed),
            "folder": str(folder),
            "egress": egress,
            "uid": REPLICA_UID,
            "name": folder.name,
            **more,
        }
        words = ["world", str(folder / "names"), str(uid), json.dumps(spec)]
        process = subprocess.Popen(
            ["unshare", "-n", "-m", *outside.python(*words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text() if (folder / "log").exists() else "no world"
        self.made.append(World(process, folder, json.loads(line), uid))
        return self.made[-1]

    def end(self) -> None:
        """End all of them, and see that nothing stays."""
        for world in self.made:
            world.process.communicate("", timeout=60)
            left = procs.with_variable("PLACET_REPLICA", world.folder.name)
            for ref in left:
                assert procs.wait_gone(ref, 10), "it ends with its replica"
            shutil.rmtree(world.folder)


@pytest.fixture
def worlds(installed: Path) -> Iterator[Worlds]:
    """Worlds that end with the test."""
    made = Worlds(installed)
    yield made
    made.end()


both = pytest.mark.parametrize("uid", [0, ORDINARY_UID], ids=["root", "ordinary user"])


@both
def test_a_replica_reaches_what_was_approved_and_nothing_else(worlds: Worlds, uid: int) -> None:
    approved = (
        f"{NAME}:{REPORTS}",
        f"{INTERNET}:{REPORTS}",
        f"[{INTERNET6}]:{REPORTS}",
        f"{PRIVATE}:{REPORTS}",
    )
    world = worlds(*approved, uid=uid)
    world.resolve(f"{INTERNET} {NAME}")
    assert world.ask(NAME) == INTERNET
    assert world.ask(INTERNET) == INTERNET
    assert world.ask(INTERNET6) == INTERNET6
    assert world.ask(PRIVATE) == PRIVATE, "approved as it is, though a private one"
    assert world.ask(NAME, ECHOES) == "ConnectionRefusedError"
    assert world.ask(INTERNET, ECHOES) == "ConnectionRefusedError"
    for other in (HOST, METADATA, "10.9.0.1", HOST6):
        assert world.ask(other) == "OSError", "there is no way out of the replica"
    assert world.ask("127.0.0.1") == world.ask("::1") == "ConnectionRefusedError"
    until(lambda: world.counts(approved[0]).connections == 1, "the counts are written")


INWARD = {
    "127.0.0.1": "the host's loopback",
    "::1": "its IPv6 loopback",
    "::ffff:127.0.0.1": "loopback in IPv6's clothes",
    PRIVATE: "a private network",
    METADATA: "the metadata service",
    HOST: "the host's own public address",
    HOST6: "its IPv6 one",
    "10.9.0.1": "its private one",
    "64:ff9b::7f00:1": "loopback by NAT64",
    "64:ff9b::a09:2": "a private network by NAT64",
    "2002:a09:2::1": "a private network by 6to4",
    "0.0.0.0": "any",
    "::": "any",
    "fe80::1": "a link",
    "224.0.0.1": "a group",
}


@both
def test_a_name_that_leads_inside_now_is_refused(worlds: Worlds, uid: int) -> None:
    destination = f"{NAME}:{REPORTS}"
    world = worlds(destination, uid=uid)
    world.resolve(f"{INTERNET} {NAME}")
    assert world.ask(NAME) == INTERNET
    for address, what in INWARD.items():
        world.resolve(f"{address} {NAME}")
        assert world.ask(NAME) == "ConnectionResetError", what
    until(lambda: world.counts(destination).refused == len(INWARD), "each was refused by rule")
    assert world.counts(destination).reason.startswith(f"{NAME}: ")
    assert world.counts(destination).failed == 0
    world.resolve(f"{NAT64} {NAME}")
    assert world.ask(NAME) == NAT64, "a public address stays one behind NAT64"
    world.resolve(f"{PRIVATE} {NAME}", f"{INTERNET} {NAME}")
    assert world.ask(NAME) == INTERNET, "of two addresses the public one counts"


def test_a_name_may_lead_to_an_address_that_was_approved_with_its_port(worlds: Worlds) -> None:
    world = worlds(f"{NAME}:{REPORTS}", f"{PRIVATE}:{REPORTS}", f"{METADATA}:{ECHOES}")
    world.resolve(f"{PRIVATE} {NAME}")
    assert world.ask(NAME) == PRIVATE
    world.resolve(f"{METADATA} {NAME}")
    assert world.ask(NAME) == "ConnectionResetError", "it was approved with another port"


@both
def test_bytes_are_counted_and_arrive_whole_at_the_pace_of_the_slower(
    worlds: Worlds, uid: int
) -> None:
    destination, size = f"{INTERNET}:{ECHOES}", 512 << 20
    world = worlds(destination, f"{INTERNET}:{REPORTS}", uid=uid)
    said = world.do("ask", host=INTERNET, port=REPORTS, send=1_000_000)
    assert said.split(" ")[:2] == [INTERNET, "1000000"]
    sent, read = world.do("stall", host=INTERNET, port=ECHOES, size=size)
    assert 0 < sent == read < size, "who does not read is not read for without end"
    resident = Path(f"/proc/{world.found['relay'][0]}/statm").read_text().split()[1]
    assert int(resident) * resource.getpagesize() < 40 << 20
    until(lambda: world.counts(destination).bytes_in == read, "the counts are written")
    count = world.counts(destination)
    assert (count.connections, count.bytes_out, count.refused) == (1, sent, 0)
    count = world.counts(f"{INTERNET}:{REPORTS}")
    assert (count.bytes_out, count.bytes_in) == (1_000_000, len(said))


@both
def test_little_of_a_connection_is_held_by_the_kernel(worlds: Worlds, uid: int) -> None:
    """By itself it holds megabytes, in memory that all of the host's connections share."""
    world = worlds(f"{INTERNET}:{ECHOES}", uid=uid)
    assert world.do("stay", host=INTERNET, port=ECHOES, count=3) == ["word"] * 3

    sizes = buffers(world.found["relay"][0])

    assert sizes == [2 * pump.BUFFER] * 12  # two ways of two sockets for each of three


def buffers(pid: int) -> list[int]:
    """Return how much the kernel may hold of each connection of a process, each way."""
    libc, handle, found = ctypes.CDLL(None, use_errno=True), os.pidfd_open(pid), []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        taken = libc.syscall(ctypes.c_long(438), handle, int(entry.name), 0)  # pidfd_getfd
        assert taken >= 0, os.strerror(ctypes.get_errno())
        try:
            one = socket.socket(fileno=taken)
        except OSError:  # no socket
            os.close(taken)
            continue
        with one:
            listens = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if one.family in (socket.AF_INET, socket.AF_INET6) and not listens:
                found += [
                    one.getsockopt(socket.SOL_SOCKET, way)
                    for way in (socket.SO_SNDBUF, socket.SO_RCVBUF)
                ]
    os.close(handle)
    return found


def test_the_connection_past_the_256th_is_refused_until_another_ends(worlds: Worlds) -> None:
    destination = f"{INTERNET}:{ECHOES}"
    world = worlds(destination)
    assert world.do("stay", host=INTERNET, port=ECHOES, count=256) == ["word"] * 256
    assert "word" not in world.do("stay", host=INTERNET, port=ECHOES, count=2)
    until(lambda: world.counts(destination).refused == 2, "both are counted")
    assert world.do("let_go") >= 256
    until(
        lambda: world.do("stay", host=INTERNET, port=ECHOES, count=1) == ["word"],
        "there is room again",
    )


def test_a_replica_that_begins_connections_without_end_leaves_the_host_its_ports(
    worlds: Worlds,
) -> None:
    """The host keeps the port of each that ended for a minute, and others have the same ones."""
    destination = f"{INTERNET}:{ECHOES}"
    began = time.monotonic()
    world = worlds(destination)
    said: list[str] = []
    while len(said) < 2 * relay.BURST:
        said += world.do("stay", host=INTERNET, port=ECHOES, count=50)
        assert world.do("let_go") <= 50
    made, most = said.count("word"), relay.BURST + relay.RATE * (time.monotonic() - began)

    assert relay.BURST <= made <= most
    refused = len(said) - made
    until(lambda: world.counts(destination).refused == refused, "each is counted")
    assert world.counts(destination).reason == (
        "30 connections a second are begun already: keep them open"
    )
    until(
        lambda: world.do("stay", host=INTERNET, port=ECHOES, count=1) == ["word"],
        "a second later there is one again",
    )


@both
def test_the_relay_ends_with_its_replica_and_has_counted_to_the_end(
    worlds: Worlds, uid: int
) -> None:
    destination = f"{INTERNET}:{ECHOES}"
    world = worlds(destination, uid=uid)
    assert world.do("stay", host=INTERNET, port=ECHOES, count=3) == ["word"] * 3
    world.ref("replica").signal(signal.SIGKILL)
    assert procs.wait_gone(world.ref("relay"), 10)
    count = world.counts(destination)
    assert (count.connections, count.bytes_out, count.bytes_in) == (3, 12, 12)


@both
def test_the_relay_has_given_up_what_it_was(worlds: Worlds, uid: int) -> None:
    world = worlds(f"{INTERNET}:{REPORTS}", uid=uid)
    status = Path(f"/proc/{world.found['relay'][0]}/status").read_text()
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    user = str(uid or 60602)
    assert found["Uid"].split() == found["Gid"].split() == [user] * 4
    assert found["NoNewPrivs"] == "1"
    assert found["Groups"].split() == []
    kinds = ("CapInh", "CapPrm", "CapEff", "CapAmb", *(() if uid else ("CapBnd",)))
    assert [int(found[kind], 16) for kind in kinds] == [0] * len(kinds)
    relay, replica = (f"/proc/{world.found[part][0]}/ns" for part in ("relay", "replica"))
    for kind in ("net", "pid", "ipc", "mnt"):
        assert Path(relay, kind).readlink() != Path(replica, kind).readlink()
    network = Path(replica, "net").readlink()
    inside = [p for p in Path("/proc").glob("[0-9]*") if _network(p) == network]
    spaces = {(p / "ns" / "pid").readlink() for p in inside}
    assert spaces <= {Path(replica, "pid").readlink()}, "nothing of ours runs inside"


def _network(process: Path) -> Path | None:
    try:
        return (process / "ns" / "net").readlink()
    except OSError:
        return None


def test_relay_and_link_need_no_file_that_only_root_may_read(
    worlds: Worlds, installed: Path, tmp_path: Path
) -> None:
    """The agent's folder may be closed to whom they become: what is used later is imported."""
    closed = shutil.copytree(installed, tmp_path / "closed")
    closed.chmod(0o700)
    world = worlds(f"{NAME}:{REPORTS}", platform=str(closed), port=ECHOES)
    assert world.do("serve", port=ECHOES) == "serving"
    assert world.ask(NAME) == "ConnectionResetError"  # it has no address yet
    world.resolve(f"{INTERNET} {NAME}")
    assert world.ask(NAME) == INTERNET
    with holding.connect(Path(world.found["path"]), 20) as client:
        client.sendall(b"word")
        assert client.recv(4) == b"word"
    until(lambda: world.counts(f"{NAME}:{REPORTS}").failed == 1, "the counts are written")
    assert "rror" not in (world.folder / "log").read_text()


def test_a_replica_with_the_hosts_network_gets_no_relay(worlds: Worlds) -> None:
    world = worlds(f"{INTERNET}:{REPORTS}", shared=True)
    assert world.found["error"] == "the replica has the host's network, none of its own"


def test_a_port_that_the_replica_may_not_be_listened_for_on_is_said(worlds: Worlds) -> None:
    world = worlds(f"[fe80::1]:{REPORTS}")
    assert "[fe80::1]:443 cannot be listened for inside the replica" in world.found["error"]


def test_a_process_that_got_the_replicas_number_later_is_not_entered(
    worlds: Worlds, tmp_path: Path
) -> None:
    world = worlds(f"{INTERNET}:{REPORTS}")
    replica = world.ref("replica")
    earlier = ProcessRef(replica.pid, replica.start - 1)
    with pytest.raises(launching.NotStarted, match=f"process {replica.pid} has ended"):
        relay.start(
            earlier,
            [Destination.read(f"{INTERNET}:{REPORTS}")],
            log=tmp_path / "log",
            counts=tmp_path / "egress" / "counts.json",
            uid=60602,
            marker=("A", "b"),
        )


def test_root_stays_root_nowhere(worlds: Worlds, tmp_path: Path) -> None:
    world = worlds(f"{INTERNET}:{REPORTS}")
    with pytest.raises(launching.NotStarted, match="root must become another user"):
        relay.start(
            world.ref("replica"),
            [Destination.read(f"{INTERNET}:{REPORTS}")],
            uid=None,
            counts=tmp_path / "egress" / "counts.json",
            log=tmp_path / "log",
            marker=("A", "b"),
        )
