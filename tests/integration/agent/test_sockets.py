"""HAProxy meets its replicas on Unix sockets that nobody else reaches."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from placet_agent.haproxy import sockets
from placet_agent.reports.metrics import parse_line
from tests.integration.agent.conftest import PATH, free_port
from tests.integration.agent.load import Load
from tests.integration.agent.sockets import USER, Gateway, listen, wait


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with ExitStack() as stack:
        made = Gateway(tmp_path / "haproxy", stack)  # HAProxy ends after its replicas
        yield made


def test_replicas_come_and_go_without_a_reload_and_no_request_is_lost(gateway: Gateway) -> None:
    first = gateway.replica("rev_1", "one")
    gateway.serve()
    before = gateway.proxy.process.ref
    load = Load(gateway.port, f"{PATH}/who").start()
    gateway.stack.callback(load.stop)

    gone, names = first, ["one"]
    for number in range(12):  # more than there are slots of a revision
        names.append(f"next-{number}")
        new = gateway.replica("rev_1", names[-1])
        gateway.proxy.apply()
        gateway.leave(gone.name)
        gateway.proxy.apply()
        load.until(load.sent + 40)
        wait(lambda gone=gone: gateway.proxy.sessions(gone.name) == 0)
        gateway.proxy.table.drop_server(gone.name)
        gateway.proxy.apply()
        gone = new
    load.until(load.sent + 40)
    load.stop()

    assert load.failures == []
    assert gateway.who() == names[-1]
    assert set(load.names) == set(names)
    assert gateway.proxy.process.ref == before
    assert len(list((gateway.folder / sockets.LINKS).iterdir())) == 1


def test_haproxy_that_dies_and_starts_again_finds_the_same_replicas(gateway: Gateway) -> None:
    gateway.replica("rev_1", "one")
    gateway.serve()
    ref = gateway.proxy.process.ref
    assert ref is not None
    ref.signal(9)
    wait(lambda: not ref.alive)
    for link in (gateway.folder / sockets.LINKS).iterdir():
        link.unlink()  # as after a power cut

    again = gateway.again()
    assert again.ensure_running()
    again.apply()

    assert gateway.who() == "one"


def test_a_replica_on_the_port_of_an_older_agent_serves_beside_one_on_a_socket(
    gateway: Gateway,
) -> None:
    older = socket.create_server(("127.0.0.1", 0))
    port = older.getsockname()[1]
    gateway.replica("rev_1", "new")
    gateway.proxy.table.ensure_server(gateway.entry, "rev_1", "older", port)
    gateway.serve()

    def answer() -> None:
        connection, _ = older.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"name": "older"}')

    thread = threading.Thread(target=answer)
    thread.start()
    seen = {gateway.who(), gateway.who()}
    thread.join()
    older.close()
    reloaded = gateway.proxy.process.ref
    gateway.proxy.table.drop_server("older")
    gateway.proxy.apply()

    assert seen == {"new", "older"}
    assert {gateway.who() for _ in range(4)} == {"new"}
    assert gateway.proxy.process.ref != reloaded  # an address of its own goes with a reload
    assert "127.0.0.1:1" not in (gateway.folder / "haproxy.cfg").read_text()


def test_copies_reach_the_sockets_of_the_candidate(gateway: Gateway) -> None:
    gateway.replica("rev_1", "stable")
    shadows = [gateway.replica("rev_2", "shadow-1"), gateway.replica("rev_2", "shadow-2")]
    gateway.entry.copies, gateway.entry.mirrored = 10_000, "rev_2"
    gateway.serve()
    pipe = os.open(gateway.folder / "log.fifo", os.O_RDWR | os.O_NONBLOCK)

    for number in range(6):
        assert httpx.post(gateway.url(f"/predict?n={number}"), content=b"1").json() == {
            "name": "stable"
        }

    wait(lambda: sum(len(shadow.seen) for shadow in shadows) == 6)
    assert {len(shadow.seen) for shadow in shadows} == {3}
    assert "POST /predict?n=0" in shadows[0].seen + shadows[1].seen
    lines = list[str]()

    def logged() -> bool:
        with suppress(BlockingIOError):
            lines.extend(os.read(pipe, 65536).decode().splitlines())
        found = [parse_line(line) for line in lines]
        return [f.status for f in found if f and f.cohort == "mirrored"] == [200] * 6

    wait(logged)
    os.close(pipe)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_waits_for_a_dead_replica_is_answered_once_it_is_gone_and_never_sent_twice(
    gateway: Gateway, method: str
) -> None:
    listener = listen(gateway.folder, "dead")  # kept open, and nobody accepts any more
    gateway.place("rev_1", "dead")
    gateway.serve()
    answers = list[str]()

    def ask() -> None:
        try:
            answer = httpx.request(method, gateway.url("/predict"), content=b"1", timeout=30)
            answers.append(answer.json()["code"])
        except httpx.RemoteProtocolError:
            answers.append("no answer")

    thread = threading.Thread(target=ask)
    thread.start()
    wait(lambda: gateway.proxy.sessions("dead") == 1)
    begun = time.monotonic()

    gateway.proxy.table.drop_server("dead")
    other = gateway.replica("rev_1", "other")
    while thread.is_alive():
        gateway.proxy.apply()
        thread.join(0.1)

    assert time.monotonic() - begun < 5  # not the time that a replica has for an answer
    assert answers in (["bad_gateway"], ["unavailable"], ["no answer"])  # that is 3.0's
    assert not gateway.proxy.ending
    assert other.seen == []
    assert gateway.who() == "other"
    listener.close()


def test_a_request_that_waits_is_answered_when_the_keeper_closes_the_socket(
    gateway: Gateway,
) -> None:
    listener = listen(gateway.folder, "dead")
    gateway.place("rev_1", "dead")
    other = gateway.replica("rev_1", "other")
    gateway.serve()
    answers = list[httpx.Response]()

    def ask() -> None:
        answers.append(httpx.post(gateway.url("/predict"), content=b"1", timeout=30))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait(lambda: len(answers) == 1)
    begun = time.monotonic()
    listener.close()
    for thread in threads:
        thread.join()

    assert time.monotonic() - begun < 2
    assert sorted(answer.status_code for answer in answers) == [200, 502]
    assert other.seen == ["POST /predict"]  # what the dead one could have read is not sent again


PROBE = """
import json, os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
found = {}
for name in sys.argv[2:]:
    try:
        if name.endswith(("/http", ".sock")):
            socket.socket(socket.AF_UNIX).connect(name)
        else:
            os.close(os.open(name, os.O_RDONLY | os.O_NONBLOCK))
        found[name] = "ok"
    except OSError as error:
        found[name] = type(error).__name__
print(json.dumps(found))
"""


def tried(folder: Path, uid: int, *names: str) -> dict[str, str]:
    """Return what becomes of opening these as another user, who is already in the folder."""
    words = [sys.executable, "-I", "-c", PROBE, str(uid), *names]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become HAProxy's user")
def test_only_haproxy_reaches_a_replica_and_it_reaches_nothing_else_of_the_folder(
    gateway: Gateway,
) -> None:
    assert USER is not None
    gateway.replica("rev_1", "one")
    gateway.proxy.table.ensure_server(gateway.entry, "rev_1", "older", free_port()).drained = True
    gateway.serve()
    gateway.proxy.table.drop_server("older")
    gateway.proxy.apply()  # a reload too
    (gateway.folder / "tls.pem").touch(0o600)
    replica = "sockets/one/http"
    hidden = (
        "admin.sock",
        "log.fifo",
        "table.json",
        "keys.map",
        "tls.pem",
        "process.json",
        "haproxy.cfg",
        "haproxy.log",
    )

    ref = gateway.proxy.process.ref
    assert ref is not None
    status = Path(f"/proc/{ref.pid}/status").read_text()
    assert f"Uid:\t{USER}\t{USER}\t{USER}\t{USER}" in status
    assert gateway.who() == "one"
    assert tried(gateway.folder, USER, replica) == {replica: "ok"}
    assert set(tried(gateway.folder, USER, *hidden).values()) == {"PermissionError"}
    stranger = tried(gateway.folder, USER + 20, replica, *hidden)
    assert set(stranger.values()) == {"PermissionError"}
    (gateway.folder / "sockets/one").chmod(0o755)  # even one who stands in the replica's folder
    inside = tried(gateway.folder / "sockets/one", USER + 20, "./http")
    assert inside == {"./http": "PermissionError"}


def test_the_folder_is_never_closed_to_haproxy_by_an_agent_that_starts(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.replica("rev_1", "one")
    gateway.serve()
    modes, chmod = list[int](), Path.chmod

    def noting(path: Path, mode: int) -> None:
        if path in (gateway.folder, gateway.folder / "s", gateway.folder / "sockets"):
            modes.append(mode)
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", noting)
    again = gateway.again()
    assert not again.ensure_running()
    again.apply()

    assert set(modes) == {0o700 if USER is None else 0o710}
    assert gateway.who() == "one"
