"""What shares a node is kept apart: networks, sockets, and what people approved to be reached."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet_agent import relay
from placet_agent.process import procs, replicas, sandbox
from placet_agent.process.launching import NotStarted
from placet_agent.process.procs import ProcessRef
from placet_agent.process.replica import Replica
from placet_agent.process.sandbox import MARKER
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.test_lifecycle import records


def told(node: NodeUnderTest, path: str) -> object:
    """Return what the replica that answers says."""
    return node.get(path).json()


def environment(node: NodeUnderTest) -> dict[str, str]:
    """Return the variables of the replica that answers."""
    seen: dict[str, str] = node.get("/inside").json()["environment"]
    return seen


@pytest.fixture
def neighbour() -> Iterator[int]:
    """Something on this host that greets whoever connects; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=greet, args=(listener,), daemon=True).start()
        yield int(listener.getsockname()[1])


def test_a_replica_reaches_nothing_that_nobody_approved(
    platform: Platform, node: NodeUnderTest, neighbour: int
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")

    for place in (
        f"127.0.0.1:{neighbour}",
        f"localhost:{neighbour}",
        "169.254.169.254:80",
        f"127.0.0.1:{node.port}",
        "192.0.2.1:80",
    ):
        assert told(node, f"/reach?{place}") in ("ConnectionRefusedError", "OSError"), place


def test_what_people_approved_before_that_was_asked_keeps_the_hosts_network(
    platform: Platform, node: NodeUnderTest, neighbour: int
) -> None:
    bento = platform.build("one")
    serving = {"replicas": 1, "memory_mb": 1024, "variables": {}}
    permit = platform.case(bento, "rel_1", serving=serving).document(platform.keys["decision"])
    platform.serve(platform.revision(1, bento, permit=permit, weight=10_000))
    report = platform.wait_phase("rev_1", "serving")

    assert told(node, f"/reach?127.0.0.1:{neighbour}") == "hello"
    assert report["isolation"] == "older"


def test_what_may_reach_nothing_waits_until_the_host_gives_networks_again(
    platform: Platform,
    node: NodeUnderTest,
    neighbour: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Also under an agent that starts meanwhile: that the host once gave them is written down."""
    bento = platform.build("one")
    platform.serve(platform.revision(1, bento, weight=10_000))
    platform.wait_phase("rev_1", "serving")
    node.stop()
    failing, script = tmp_path / "failing", tmp_path / "bwrap"
    failing.touch()
    script.write_text(
        f'#!/bin/sh\nif [ -e {failing} ]; then case " $* " in *" --unshare-net "*)\n'
        f"  echo 'bwrap: Creating new namespace failed: Operation not permitted' >&2\n"
        f'  exit 1;; esac; fi\nexec {sandbox.bwrap()} "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(sandbox, "bwrap", lambda: str(script))
    monkeypatch.setattr(sandbox, "_given", set())
    node.start()
    platform.serve(platform.revision(2, platform.build("two"), weight=10_000))

    platform.wait(lambda: "Creating new namespace" in platform.seen("rev_2")["detail"])

    assert platform.seen("rev_2")["ready_replicas"] == 0
    assert platform.reports[-1]["platform"]["network"] == "own"
    assert [row["network"] for row in records(node)] == ["own"] * len(records(node))
    failing.unlink()
    platform.serve(platform.revision(3, platform.build("three"), weight=10_000))
    platform.wait_phase("rev_3", "serving")
    assert told(node, f"/reach?127.0.0.1:{neighbour}") == "ConnectionRefusedError"


def test_a_variable_that_the_bento_does_not_declare_is_not_set(
    platform: Platform, node: NodeUnderTest
) -> None:
    approved = platform.revision(1, platform.build("one"), variables={"NOBODY_READS": "1"})
    platform.serve({**approved, "weight": 10_000})

    failed = platform.wait_phase("rev_1", "failed")

    assert "does not declare the variable NOBODY_READS" in failed["detail"]
    assert failed["ready_replicas"] == 0
    assert node.get().status_code == 503


def test_a_replica_computes_with_its_share_of_the_cores_unless_its_release_says_otherwise(
    platform: Platform, node: NodeUnderTest
) -> None:
    cores = len(os.sched_getaffinity(0))
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000, replicas=1))
    platform.wait_phase("rev_1", "serving")
    assert environment(node)["OMP_NUM_THREADS"] == str(cores)

    said = {"OMP_NUM_THREADS": "7"}
    platform.serve(
        platform.revision(2, platform.build("two"), weight=10_000, replicas=1, variables=said)
    )
    platform.wait_phase("rev_2", "serving")
    assert environment(node)["OMP_NUM_THREADS"] == "7"


def test_an_approved_name_that_leads_to_this_host_is_refused_and_counted(
    platform: Platform, node: NodeUnderTest, neighbour: int
) -> None:
    """``ip6-localhost`` stands in the hosts file of the test machine, or does not resolve."""
    name = f"{socket.gethostname().lower() or 'ip6-localhost'}"
    platform.serve(
        platform.revision(1, platform.build("one"), weight=10_000, egress=[f"{name}:{neighbour}"])
    )
    platform.wait_phase("rev_1", "serving")

    assert told(node, f"/reach?{name}:{neighbour}") in ("ConnectionResetError", "closed")
    assert told(node, f"/reach?{name}:{neighbour + 1}") == "ConnectionRefusedError"
    counted = platform.wait_egress("rev_1", lambda rows: rows[0]["refused"])
    assert counted[0]["to"] == f"{name}:{neighbour}" and counted[0]["connections"] == 0


def test_an_approved_address_is_reached_and_counted_whoever_ends_the_relay(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "CHECK_EVERY", 0.1)
    address = own_address()
    with socket.create_server((address, 0)) as listener:
        port = int(listener.getsockname()[1])
        threading.Thread(target=greet, args=(listener,), daemon=True).start()
        reach = [f"{address}:{port}"]
        platform.serve(platform.revision(1, platform.build("one"), weight=10_000, egress=reach))
        platform.wait_phase("rev_1", "serving")

        assert told(node, f"/reach?{address}:{port}") == "hello"
        platform.wait_egress("rev_1", lambda rows: rows[0]["connections"] == 1)
        first = ProcessRef(*records(node)[0]["relay"])
        first.signal(9)
        platform.wait(lambda: records(node)[0]["relay"] != [first.pid, first.start])
        platform.wait(lambda: told(node, f"/reach?{address}:{port}") == "hello")


def test_a_program_whose_relay_does_not_start_is_not_let_go(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotStarted("no relay today")

    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    found, state = node.agent.replicas, node.agent.reconciler.state
    assert state is not None
    record = found._record("end_1", state.endpoints[0].revisions[0], "", ["192.0.2.7:443"])
    replica = Replica(record, found.folder / "other.json", found.starter.socket(record.id))
    monkeypatch.setattr(relay, "start", refuse)

    with pytest.raises(NotStarted, match="no relay today"):
        found.starter.start(replica)

    assert len(replica.refs) == 2
    assert all(procs.wait_gone(ref, 5) for ref in replica.refs)
    assert replica.child is not None and replica.child.wait(5) is not None
    found.starter.clear(record.id)


def own_address() -> str:
    """Return an address of this host that is not its loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        trial.connect(("192.0.2.1", 9))
        return str(trial.getsockname()[0])


def greet(listener: socket.socket) -> None:
    """Greet whoever connects, until nobody listens any more."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.sendall(b"hello")


def test_a_bento_that_cannot_serve_on_a_socket_is_reached_through_a_link(
    platform: Platform, node: NodeUnderTest, neighbour: int
) -> None:
    bento = platform.build("several", **{"needs-port.txt": ""})
    platform.serve(platform.revision(1, bento, weight=10_000))
    report = platform.wait_phase("rev_1", "serving")

    assert node.who() == "several"
    assert (report["isolation"], report["restarts"]) == ("link", 0)
    assert told(node, f"/reach?127.0.0.1:{neighbour}") == "ConnectionRefusedError"
    link = ProcessRef(*records(node)[0]["link"])
    assert link.alive

    platform.serve(platform.revision(1, bento, weight=0, wanted="stop"))
    platform.wait_phase("rev_1", "stopped")
    assert procs.wait_gone(link, 5)


def test_a_link_that_ends_is_followed_by_another_and_who_calls_meanwhile_is_answered(
    platform: Platform, node: NodeUnderTest
) -> None:
    bento = platform.build("several", **{"needs-port.txt": ""})
    platform.serve(platform.revision(1, bento, weight=10_000))
    platform.wait_phase("rev_1", "serving")
    before = records(node)[0]

    ProcessRef(*before["link"]).signal(signal.SIGKILL)
    assert procs.wait_gone(ProcessRef(*before["link"]), 5)
    assert node.who() == "several"
    platform.wait(lambda: records(node)[0]["link"] != before["link"])
    after = records(node)[0]
    assert (after["id"], after["inner"]) == (before["id"], before["inner"]), "the replica went on"
    assert platform.seen("rev_1")["restarts"] == 0


@pytest.mark.parametrize("part", ["link", "relay"])
def test_what_leads_to_a_replica_is_started_again_while_the_replica_starts(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(replicas, "LINKS_EVERY", 0.1)
    bento = platform.build("several", **{"needs-port.txt": ""})
    slow = {"READY_AFTER": "3"}
    platform.serve(
        platform.revision(1, bento, weight=10_000, variables=slow, egress=["192.0.2.7:443"])
    )
    platform.wait(lambda: [r for r in records(node) if r["link"] and r["relay"]])
    before = records(node)[0]
    assert not before["ready"]

    ProcessRef(*before[part]).signal(signal.SIGKILL)

    platform.wait_phase("rev_1", "serving")
    after = records(node)[0]
    assert (after["id"], after["inner"]) == (before["id"], before["inner"]), "the replica went on"
    assert after[part] != before[part]
    assert node.who() == "several"


def test_nothing_of_a_replica_is_left_when_it_stops(
    platform: Platform, node: NodeUnderTest
) -> None:
    bento = platform.build("one")
    platform.serve(platform.revision(1, bento, weight=10_000, egress=["192.0.2.7:443"]))
    platform.wait_phase("rev_1", "serving")
    record = records(node)[0]
    assert node.agent.replicas.starter.holder.names() == {record["id"]}

    platform.serve(platform.revision(1, bento, weight=0, wanted="stop", egress=["192.0.2.7:443"]))
    platform.wait_phase("rev_1", "stopped")

    assert node.agent.replicas.starter.holder.names() == set()
    assert not procs.with_variable(MARKER, record["id"], inside=True)

    def left() -> list[str]:
        folders = ("given", "replicas", "haproxy/sockets", "haproxy/s")
        return [path.name for f in folders for path in (node.home.folder / f).iterdir()]

    platform.wait(lambda: left() == ["inside.py"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each replica a user of its own")
def test_only_haproxy_may_open_the_socket_of_a_replica(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    record = records(node)[0]
    file = Path(node.home.folder, "haproxy/sockets", record["id"], "http").stat()

    assert (file.st_mode & 0o777, file.st_uid) == (0o600, 60600)
    assert record["uid"] != file.st_uid
