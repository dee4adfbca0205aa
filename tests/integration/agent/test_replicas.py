"""The replicas of a node, as far as none of them runs."""

import fcntl
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial, partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from placet_agent.client import Client
from placet_agent.downloads.bentos import BentoFolder
from placet_agent.downloads.pythons import Interpreters
from placet_agent.downloads.runtimes import RuntimeFolder
from placet_agent.inside import NOT_ON_A_SOCKET
from placet_agent.observed import leaving_reports
from placet_agent.process import procs
from placet_agent.process.outputs import LOG_BYTES
from placet_agent.process.replica import Replica, ReplicaRecord, ask
from placet_agent.process.replicas import Replicas
from placet_agent.reconcile import Reconciler
from placet_agent.state import files
from tests.support import disk

DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def replicas(tmp_path: Path) -> Replicas:
    """Those of a node where nothing runs."""
    client = Client("http://localhost:1")
    files.make_folder(tmp_path / "replicas")
    files.make_folder(tmp_path / "bentos" / DIGEST.removeprefix("sha256:"))
    runtimes = RuntimeFolder(tmp_path / "runtimes", client, Interpreters([]))
    return Replicas(tmp_path, BentoFolder(tmp_path / "bentos", client), runtimes, lambda: None)


def recorded(**changes: Any) -> ReplicaRecord:
    """Return a record as it is on disk."""
    words = {
        "id": "rev_1-1",
        "revision": "rev_1",
        "release": "rel_1",
        "endpoint": "end_1",
        "bento_digest": DIGEST,
        "runtime_digest": DIGEST,
        "python_version": "3.13",
        "variables": {},
        "memory_mb": 64,
        "nonce": 0,
        "port": 0,
        "uid": None,
    }
    return ReplicaRecord.from_json({**words, **changes})


def ended(replicas: Replicas, status: int) -> Replica:
    """Return a replica whose program ended with this status."""
    record = recorded()
    child: Any = SimpleNamespace(poll=lambda: status)
    path = replicas.folder / "rev_1-1.json"
    return Replica(record, path, replicas.starter.socket(record.id), child=child)


def test_a_record_that_a_power_cut_left_empty_keeps_no_agent_from_starting(
    replicas: Replicas,
) -> None:
    (replicas.folder / "rev_1-1.json").touch()
    replicas.adopt()
    assert replicas.all == {}
    assert list(replicas.folder.iterdir()) == []


def test_what_was_made_for_a_replica_that_never_came_to_be_is_removed(replicas: Replicas) -> None:
    sockets, given = replicas.starter.sockets, replicas.starter.given.folder
    for path in (
        sockets / "rev_1-1/http",
        given / "rev_1-1.link/c.json",
        given / "rev_1-1.hosts",
        given / "rev_1-1.egress/c.json",
        given / "inside.py",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    replicas.adopt()
    assert list(sockets.iterdir()) == []
    assert [path.name for path in given.iterdir()] == ["inside.py"]


def test_that_a_bento_needs_a_port_is_remembered(replicas: Replicas) -> None:
    assert not replicas.found_to_need_port(ended(replicas, 1))
    assert replicas.found_to_need_port(ended(replicas, NOT_ON_A_SOCKET))
    assert replicas.bentos.needs_port(DIGEST)


def test_a_full_disk_that_does_not_take_it_is_a_crash_of_that_replica_alone(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_bytes", full)
    assert not replicas.found_to_need_port(ended(replicas, NOT_ON_A_SOCKET))


def test_what_was_reached_is_not_kept_of_revisions_without_replicas(replicas: Replicas) -> None:
    for number in range(3):
        assert replicas.reached(f"rev_{number}") == []
    assert replicas._reached == {}


def test_a_revision_that_leaves_is_as_badly_kept_apart_as_the_worst_of_its_replicas() -> None:
    older = recorded()
    apart = recorded(id="rev_1-2", reached="socket", network="own", egress=[])
    assert (older.kept, apart.kept) == ("older", "socket")
    for records in ([older, apart], [apart, older]):
        assert [row["isolation"] for row in leaving_reports(records, ())] == ["older"]
    assert leaving_reports([older, apart], {"rev_1"}) == []


@pytest.mark.parametrize("said", [b"HTTP/1.1 100 Continue\r\n\r\n", b"\0", b"HTTP/1.1 200"])
def test_an_answer_without_end_is_none_and_costs_no_more_than_its_time(
    replicas: Replicas, said: bytes
) -> None:
    replica = ended(replicas, 0)
    replica.record.reached = "port"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        replica.record.port = listener.getsockname()[1]

        def answer() -> None:
            with listener.accept()[0] as connection, suppress(OSError):
                while True:
                    connection.sendall(said)
                    time.sleep(0.01)

        thread = threading.Thread(target=answer)
        thread.start()
        began = time.monotonic()
        assert ask(replica, "/readyz", timeout=0.5) is None
        assert time.monotonic() - began < 2
        thread.join(timeout=5)


def test_a_process_that_has_the_pid_of_one_before_the_host_started_anew_is_no_replica(
    replicas: Replicas,
) -> None:
    me = procs.find(os.getpid())
    assert me is not None
    for number, boot in enumerate(("", procs.boot(), "another")):
        record = recorded(id=f"rev_1-{number}", inner=(me.pid, me.start), boot=boot)
        files.write_json(replicas.folder / f"rev_1-{number}.json", asdict(record))
    replicas.adopt(probe=False)
    assert sorted(replicas.all) == ["rev_1-0", "rev_1-1"]


def test_what_ended_while_no_agent_looked_is_stopped_and_no_crash(replicas: Replicas) -> None:
    for number in range(3):
        record = recorded(id=f"rev_1-{number}", inner=(4_194_000, 1), outer=(4_194_001, 1))
        files.write_json(replicas.folder / f"rev_1-{number}.json", asdict(record))
    replicas.adopt(probe=False)
    assert [one.stopping for one in replicas.all.values()] == [True] * 3
    nobody: Any = None
    proxy: Any = SimpleNamespace(loads=dict)
    pass_ = Reconciler(proxy, replicas, nobody, nobody, nobody, nobody)
    for one in replicas.all.values():
        pass_._bury(one)
    assert pass_._controls == {}


def test_a_log_that_filled_the_disk_is_trimmed(replicas: Replicas, tmp_path: Path) -> None:
    with disk.small(tmp_path / "disk", megabytes=8) as folder:
        replicas.logs = files.make_folder(folder / "logs")
        log = replicas.logs / "rev_1-1.log"
        log.write_bytes(b"x" * (LOG_BYTES + 1))
        disk.fill(folder)
        replicas.trim_logs()
        assert log.stat().st_size == 0
        assert log.with_suffix(".log.1").stat().st_size == LOG_BYTES // 4


def test_what_a_replica_does_to_its_log_has_nobody_wait_and_keeps_no_other_from_it(
    replicas: Replicas,
) -> None:
    files.make_folder(replicas.logs)
    leased, lost, other = (replicas.logs / f"rev_{number}-1.log" for number in (1, 2, 3))
    for log in (leased, other):
        log.write_bytes(b"x" * (LOG_BYTES + 1))
    lost.symlink_to("/nowhere")
    with leased.open("r+b") as stream:
        fcntl.fcntl(stream, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        before = signal.signal(signal.SIGIO, signal.SIG_IGN)
        began = time.monotonic()
        replicas.trim_logs()
        assert replicas.tail(replica_of(replicas)) == "no output"
        assert time.monotonic() - began < 5, "a lease has a reader wait for 45 s"
        signal.signal(signal.SIGIO, before)
    assert (leased.stat().st_size, other.stat().st_size) == (LOG_BYTES + 1, 0)
    replicas.trim_logs()
    assert leased.stat().st_size == 0, "without the lease it is"


def replica_of(replicas: Replicas) -> Replica:
    """Return a replica of which there is a log alone."""
    record = recorded()
    return Replica(record, replicas.folder / "rev_1-1.json", replicas.starter.socket(record.id))


def test_a_log_that_was_shut_is_opened_by_its_owner(replicas: Replicas) -> None:
    if os.geteuid():
        pytest.skip("to be somebody else needs root")
    with tempfile.TemporaryDirectory() as folder:  # where anybody can get to
        replicas.logs = Path(folder)
        log = replicas.logs / "rev_1-1.log"
        log.write_bytes(b"x" * (LOG_BYTES + 1))
        log.chmod(0)
        for path in (replicas.logs, log):
            os.chown(path, 12345, 12345)
        with as_user(12345):
            replicas.trim_logs()
        assert log.stat().st_size == 0


@contextmanager
def as_user(uid: int) -> Iterator[None]:
    """Have this process be an ordinary user."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_log_that_shrinks_as_it_is_trimmed_keeps_no_other_from_it(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.make_folder(replicas.logs)
    logs = [replicas.logs / f"rev_{number}-1.log" for number in (1, 2)]
    for log in logs:
        log.write_bytes(b"x" * (LOG_BYTES + 1))

    def shrinking(look: Callable[..., Any], *args: Any, **more: Any) -> Any:
        found = look(*args, **more)
        os.truncate(logs[0], 0)
        return found

    monkeypatch.setattr(os, "fstat", partial(shrinking, os.fstat))
    monkeypatch.setattr(Path, "stat", partialmethod(partial(shrinking, Path.stat)))
    replicas.trim_logs()
    monkeypatch.undo()

    assert [log.stat().st_size for log in logs] == [0, 0]
    assert logs[1].with_suffix(".log.1").stat().st_size == LOG_BYTES // 4
