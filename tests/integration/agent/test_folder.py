"""What of a node's folder may be deleted, and what may not be true of it afterwards."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet_agent.loop import stop_everything
from placet_agent.process import limits, procs
from placet_agent.process.procs import ProcessRef
from placet_agent.process.sandbox import MARKER
from placet_agent.state.data_dir import Home
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.former import former_agent, former_code
from tests.integration.agent.test_agent_replacement import approved_before
from tests.integration.agent.test_lifecycle import records
from tests.integration.agent.test_recalls import recalled, receipts


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[ProcessRef]:
    """A replica of another node of this host."""
    with (tmp_path / "rev_1-0000abcd.log").open("ab") as log:
        child = subprocess.Popen(["sleep", "600"], env={MARKER: "rev_1-0000abcd"}, stdout=log)
    ref = procs.find(child.pid)
    assert ref is not None
    yield ref
    child.kill()
    child.wait()


def without_records(home: Home, *folders: str) -> set[str]:
    """Delete the records of replicas, and what stands in ``folders``; return who ran."""
    gone = {path.stem for path in (home.folder / "replicas").glob("*.json")}
    for folder in ("replicas", *folders):
        for path in (home.folder / folder).iterdir():
            path.unlink()
    return gone


def running(names: set[str]) -> set[str]:
    """Return of which of these replicas anything runs, in the sandbox or beside it."""
    return {name for _, name in procs.with_name(MARKER, inside=True) if name in names}


def groups(names: set[str]) -> list[Path]:
    """Return the control groups of these replicas."""
    found = limits.limiter()
    made = [found._group(root, name) for root in found.roots for name in names]
    return [path for path in made if path.exists()]


def test_what_runs_without_its_record_is_ended_before_the_node_signs_that_a_recall_stopped_it(
    platform: Platform, joined: NodeUnderTest, neighbour: ProcessRef
) -> None:
    bad = platform.revision(1, platform.build("bad"), weight=10_000, egress=["example.com:443"])
    joined.start_process()
    platform.serve(bad)
    platform.wait_phase("rev_1", "serving")
    joined.kill_process()
    names = without_records(joined.home)
    assert running(names) == names != set()
    _, envelope = recalled(platform, bad["bento_digest"])
    platform.endpoints = [platform.endpoint({**bad, "weight": 0})]
    platform.publish(recalls=[envelope])

    joined.start()

    platform.wait(lambda: [one.TYPE for one in receipts(platform) if hasattr(one, "recall")])
    assert running(names) == set()
    assert neighbour.alive
    assert groups(names) == []


def test_a_replica_of_an_earlier_agent_is_ended_too_when_its_record_is_gone(
    platform: Platform, joined: NodeUnderTest, tmp_path: Path
) -> None:
    before = approved_before(platform, 1, platform.build("one"), weight=10_000)
    joined.processes.append(former_agent(former_code(tmp_path / "former"), joined.home.folder))
    platform.serve(before)
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 1)
    joined.processes[-1].send_signal(signal.SIGTERM)
    joined.processes[-1].wait(timeout=20)
    names = without_records(joined.home)

    joined.start_process()

    platform.wait(lambda: records(joined) and joined.who() == "one")
    platform.wait(lambda: not running(names))


def test_the_command_stop_ends_what_has_no_record_and_nobody_elses(
    platform: Platform, joined: NodeUnderTest, neighbour: ProcessRef
) -> None:
    joined.start_process()
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    joined.kill_process()
    names = without_records(joined.home, "logs")
    assert running(names) == names != set()

    stop_everything(joined.home)

    assert running(names) == set()
    assert neighbour.alive
