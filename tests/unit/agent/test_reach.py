"""Where a name may lead a relay: to somebody else's public host, or to what was approved itself."""

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from placet_agent import loopback, reach
from placet_agent.relay import Relay
from placet_agent.reports import counting
from placet_agent.reports.counting import Count, CountFile
from placet_verify.permit.serving import Destination

REFUSED = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "168.63.129.16",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::5.5.5.5",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:1::1",
    "2001:0:505:505::f5ff:fffe",  # Teredo: the client is 10.0.0.1
]
ALLOWED = [
    "1.1.1.1",
    "5.5.5.5",
    "172.32.0.1",
    "192.0.1.1",
    "100.128.0.1",
    "223.255.255.1",
    "::ffff:5.5.5.5",
    "64:ff9b::505:505",
    "2002:505:505::1",
    "2606:4700:4700::1111",
    "2a00:5::2",
]


def refused(text: str, port: int = 443, approved: tuple[Destination, ...] = ()) -> str:
    return reach.refusal(reach.read(text), port, approved)


@pytest.mark.parametrize("text", REFUSED)
def test_no_name_leads_there(text: str) -> None:
    assert "no address of the public network" in refused(text)


@pytest.mark.parametrize("text", ALLOWED)
def test_a_name_may_lead_to_a_public_host(text: str) -> None:
    assert refused(text) == ""


def test_an_address_with_a_zone_is_a_neighbours() -> None:
    with pytest.raises(ValueError, match="this link alone"):
        reach.read("fe80::1%lo")


def test_an_approved_address_may_be_reached_at_its_port_alone() -> None:
    approved = (Destination("10.1.2.3", 5432),)
    assert refused("10.1.2.3", 5432, approved) == ""
    assert refused("::ffff:10.1.2.3", 5432, approved) == ""
    assert refused("10.1.2.3", 443, approved) != ""
    assert refused("10.1.2.4", 5432, approved) != ""


def test_the_hosts_own_public_address_is_not_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "is_own", lambda address: str(address) == "5.5.5.5")
    assert refused("5.5.5.5") == "5.5.5.5 is this host itself"
    assert refused("::ffff:5.5.5.5") == "5.5.5.5 is this host itself"
    assert refused("64:ff9b::505:505") == "64:ff9b::505:505 is this host itself"
    assert refused("5.5.5.5", 443, (Destination("5.5.5.5", 443),)) == ""


@pytest.mark.parametrize("everything", [False, True], ids=["usual", "binds anything"])
def test_a_host_knows_its_own_addresses_whatever_it_may_bind(
    monkeypatch: pytest.MonkeyPatch, everything: bool
) -> None:
    monkeypatch.setattr(reach, "_binds_anything", lambda version: everything)
    assert reach.is_own(reach.read("127.0.0.1"))
    assert not reach.is_own(reach.read("5.5.5.5"))


# --- the relay, with a resolver of the test's own ------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server of this host."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def relayed(resolver: object, *approved: Destination, seconds: float = 5) -> tuple[Count, bytes]:
    """Connect once to the first destination through a relay; return its count and the answer."""

    async def run() -> bytes:
        relay = Relay(approved, counts, resolver, seconds)  # type: ignore[arg-type]
        with socket.create_server(("127.0.0.1", 0)) as inside:
            inside.setblocking(False)
            relay.listen(approved[0], inside)
            reader, writer = await asyncio.open_connection(*inside.getsockname())
            try:
                answer = await asyncio.wait_for(reader.read(), 20)
            except ConnectionResetError:
                answer = b"reset"
            writer.close()
            asyncio.get_running_loop().remove_reader(inside)
            await relay.end()
            relay.pool.shutdown()
        return answer

    counts = {str(one): Count() for one in approved}
    answer = asyncio.run(run())
    return counts[str(approved[0])], answer


def greet(server: socket.socket) -> Destination:
    """Have a server greet the next who comes; return what one approves to reach it."""

    def once() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"hello")

    threading.Thread(target=once, daemon=True).start()
    return Destination("127.0.0.1", server.getsockname()[1])


def test_a_name_is_resolved_once_for_each_connection_and_the_judged_address_is_reached(
    listener: socket.socket,
) -> None:
    """The second answer would be another: it is never asked for."""
    hosts: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        hosts.append(host)
        return ["127.0.0.1"] if len(hosts) == 1 else ["10.0.0.1"]

    here = greet(listener)
    count, answer = relayed(resolver, Destination("db.example", here.port), here)
    assert (answer, hosts, count.connections, count.refused) == (b"hello", ["db.example"], 1, 0)


def test_of_two_answers_the_private_one_is_left_out(listener: socket.socket) -> None:
    here = greet(listener)
    name = Destination("db.example", here.port)
    count, answer = relayed(lambda host, port: ["10.0.0.1", "127.0.0.1"], name, here)
    assert (answer, count.connections, count.refused) == (b"hello", 1, 0)
    count, answer = relayed(lambda host, port: ["10.0.0.1", "169.254.169.254"], name)
    assert (answer, count.connections, count.refused) == (b"reset", 0, 1)
    assert "169.254.169.254" in count.reason


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    listener: socket.socket,
) -> None:
    here = greet(listener)
    both = (here, Destination("127.0.0.2", here.port))
    with socket.socket() as deaf:  # its queue is full: it never answers
        deaf.bind(("127.0.0.2", here.port))
        deaf.listen(0)
        with socket.create_connection(("127.0.0.2", here.port)):
            began = time.monotonic()
            count, answer = relayed(
                lambda host, port: ["127.0.0.2", "127.0.0.1"],
                Destination("db.example", here.port),
                *both,
                seconds=2,
            )
    assert (answer, count.connections) == (b"hello", 1)
    assert 0.9 < time.monotonic() - began < 2.5


def test_a_name_that_does_not_resolve_has_failed_and_is_not_refused() -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    count, answer = relayed(resolver, Destination("gone.example", 443))
    assert (answer, count.failed, count.refused) == (b"reset", 1, 0)
    assert "Name or service not known" in count.reason


# --- what is said inside and outside -------------------------------------------------------------


def test_each_name_has_an_address_of_its_own_and_an_address_has_itself() -> None:
    wanted = [
        Destination.read(text)
        for text in (
            "b.example:443",
            "a.example:443",
            "a.example:5432",
            "10.1.2.3:80",
            "[2a00:5::2]:80",
        )
    ]
    assert loopback.addresses(wanted) == {
        "10.1.2.3": "10.1.2.3",
        "2a00:5::2": "2a00:5::2",
        "a.example": "127.77.0.1",
        "b.example": "127.77.0.2",
    }
    assert loopback.hosts_file(wanted).splitlines() == [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "127.77.0.1\ta.example",
        "127.77.0.2\tb.example",
    ]
    assert loopback.addresses(reversed(wanted)) == loopback.addresses(wanted)
    many = [Destination(f"n{number:03}.example", 1) for number in range(600)]
    assert len(set(loopback.addresses(many).values())) == 600


def test_counts_are_replaced_whole_and_only_when_they_change(tmp_path: Path) -> None:
    counts = CountFile(tmp_path / "counts.json", ["a:1"])
    counts.of["a:1"].sent(7)
    counts.write()
    before = (tmp_path / "counts.json").stat().st_ino
    counts.write()
    assert (tmp_path / "counts.json").stat().st_ino == before
    counts.of["a:1"].refuse("x" * 1000)
    counts.write()
    by_name = counting.read(tmp_path / "counts.json")
    assert by_name == {"a:1": Count(refused=1, bytes_out=7, reason="x" * 300)}
    assert [path.name for path in tmp_path.iterdir()] == ["counts.json"]
    os.close(counts.folder)


HOSTILE = [
    b"",
    b"[]",
    b"{",
    b'{"a": 1}',
    b'{"a": {}}',
    b"[" * 100_000,
    b'{"a": {"refused": "x"}}',
    json.dumps({"a": asdict(Count())}).encode() + b" " * (1 << 18),
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_counts_that_make_no_sense_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "counts.json").write_bytes(content)
    by_name = counting.read(tmp_path / "counts.json")
    assert by_name == ({"a": Count()} if len(content) > 1 << 18 else {})


def test_counts_are_read_through_no_link_and_from_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(json.dumps({"a": asdict(Count(refused=1))}))
    assert counting.read(tmp_path / "secret") != {}
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    assert counting.read(tmp_path / "link") == counting.read(tmp_path / "pipe") == {}
