"""Processes that the agent knows by pid and start time, and what this host lacks meanwhile."""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from placet_agent.process import procs
from placet_agent.process.procs import ProcessRef
from placet_agent.process.replica import Replica, ReplicaRecord, share_of_cores
from placet_agent.reconcile import Reconciler
from tests.support.processes import no_descriptor_left, until


@pytest.fixture
def asleep() -> Iterator[ProcessRef]:
    """A process of ours that runs."""
    child = subprocess.Popen(["sleep", "60"])
    ref = procs.find(child.pid)
    assert ref is not None
    yield ref
    child.kill()
    child.wait()


def test_without_a_descriptor_nobody_is_taken_for_gone(asleep: ProcessRef) -> None:
    with no_descriptor_left():
        for look in (
            lambda: asleep.alive,
            lambda: procs.find(asleep.pid),
            asleep.children,
            lambda: procs.wait_gone(asleep, 5),
            lambda: asleep.signal(signal.SIGTERM),
        ):
            with pytest.raises(OSError, match="Too many open files"):
                look()
    assert asleep.alive
    asleep.signal(signal.SIGTERM)
    assert procs.wait_gone(asleep, 5)


def test_who_is_marked_is_not_missed_for_want_of_a_descriptor(
    asleep: ProcessRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    listed = Path.iterdir

    # They run out when the processes are listed already, as for another thread's sake.
    def list_and_run_out(path: Path) -> Iterator[Path]:
        entries = [*listed(path)]
        next_one = os.open(os.devnull, os.O_RDONLY)
        os.close(next_one)  # below it, poll() refuses what other threads wait for
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_one, hard))
        return iter(entries)

    monkeypatch.setattr(Path, "iterdir", list_and_run_out)
    try:
        for inside in (False, True):
            with pytest.raises(OSError, match="Too many open files"):
                procs.with_variable("NOBODY", "has it", inside=inside)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_is_gone_is_gone(asleep: ProcessRef) -> None:
    earlier = ProcessRef(asleep.pid, asleep.start - 1)
    assert not earlier.alive
    assert procs.wait_gone(earlier, 5)
    nobody = ProcessRef(4_194_000, 1)
    assert not nobody.alive
    assert procs.wait_gone(nobody, 5)
    assert nobody.children() == []
    nobody.signal(signal.SIGTERM)


def test_a_replica_is_not_buried_for_want_of_a_descriptor(
    asleep: ProcessRef, tmp_path: Path
) -> None:
    dropped: list[str] = []
    living = Replica(record(outer=(asleep.pid, asleep.start)), tmp_path / "rev_1.json", tmp_path)
    living.launched.set()
    table = SimpleNamespace(drop_server=dropped.append)
    proxy: Any = SimpleNamespace(table=table, loads=dict)
    nobody: Any = None
    replicas: Any = SimpleNamespace(starter=SimpleNamespace(doors=None))
    pass_ = Reconciler(proxy, replicas, nobody, nobody, nobody, nobody)
    with no_descriptor_left():
        pass_._errors.alone(pass_._bury, living)
    assert [row["code"] for row in pass_._errors.now] == ["pass_failed"]
    assert (dropped, living.stopping, living.alive) == ([], False, True)


def record(**more: Any) -> ReplicaRecord:
    """Return the record of a replica."""
    row = {
        "id": "rev_1-00000001",
        "revision": "rev_1",
        "release": "rel_1",
        "endpoint": "end_1",
        "bento_digest": "sha256:0",
        "runtime_digest": "sha256:1",
        "python_version": "3.13",
        "variables": {},
        "memory_mb": 64,
        "nonce": 0,
        "port": 0,
        "uid": None,
        "reached": "socket",
        "network": "own",
        "egress": [],
    }
    return ReplicaRecord(**row | more)


@pytest.mark.parametrize(
    ("beside", "replicas", "threads"),
    [
        ({}, 1, 12),
        ({}, 5, 2),
        ({}, 13, 1),
        ({("own", "former"): 3}, 4, 3),  # it goes when the rollout is over
        ({("a", "rev_1"): 2, ("a", "rev_2"): 1}, 1, 4),
        ({("a", "rev_1"): 2, ("b", "rev_3"): 1, ("own", "former"): 9}, 1, 3),
    ],
)
def test_the_cores_of_the_host_are_shared_among_the_replicas_of_all_endpoints(
    monkeypatch: pytest.MonkeyPatch,
    beside: dict[tuple[str, str], int],
    replicas: int,
    threads: int,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(12)))
    others = [
        record(endpoint=endpoint, revision=revision)
        for (endpoint, revision), count in beside.items()
        for _ in range(count)
    ]
    assert share_of_cores(others, "own", replicas) == threads


def test_in_a_pid_namespace_its_first_process_alone_is_looked_at(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("a pid namespace needs root")
    script = "sleep 60 & sleep 60 & wait"
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", script],
        env={"PLACET_REPLICA": str(tmp_path), "PATH": os.environ["PATH"]},
    ) as outer:
        try:
            until(lambda: len(marked(tmp_path, inside=True)) == 4)
            first = ProcessRef(outer.pid, 0).children()
            assert {ref.pid for ref in marked(tmp_path)} == {outer.pid, first[0].pid}
            first[0].signal(signal.SIGKILL)
            until(lambda: not marked(tmp_path, inside=True), what="the others end with it")
        finally:
            outer.kill()


def marked(folder: Path, *, inside: bool = False) -> list[ProcessRef]:
    """Return who was started for a folder."""
    return procs.with_variable("PLACET_REPLICA", str(folder), inside=inside)
