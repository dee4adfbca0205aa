"""A node whose disk is really full: what must not answer does not, and what is seen is told."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet_agent.downloads.runtimes import RuntimeFailed
from placet_agent.loop import Agent
from placet_agent.reports import report
from placet_agent.state.data_dir import Home
from placet_agent.state.joining import join
from tests.integration.agent.conftest import NodeUnderTest, free_port
from tests.integration.agent.control import Platform
from tests.integration.agent.run_agent import OPTIONS
from tests.integration.agent.test_faulty_documents import close
from tests.integration.agent.test_guard import GUARD
from tests.integration.agent.test_recalls import recalled
from tests.support import disk


@pytest.fixture
def joined(platform: Platform, tmp_path: Path) -> Iterator[NodeUnderTest]:
    """A node that joined, with a small disk of its own; its agent does not run yet."""
    with disk.small(tmp_path / "disk", megabytes=64) as folder:
        port, home = free_port(), Home(folder / "node")
        join(home, platform.url, platform.token, root="", port=port, pythons=[])
        node = NodeUnderTest(platform, home, port)
        yield node
        (folder / disk.BALLAST).unlink(missing_ok=True)
        node.clean()


def test_on_a_full_disk_a_guard_gives_requests_back_and_a_recall_is_heeded(
    platform: Platform, node: NodeUnderTest
) -> None:
    new = platform.revision(1, platform.build("candidate"), weight=5_000, guard=GUARD)
    old = platform.revision(2, platform.build("stable"), weight=5_000)
    platform.serve(old, new, stable="rev_2")
    platform.wait(lambda: platform.seen("rev_1")["weight"] == 5_000)

    disk.fill(node.home.folder.parent)
    failed: list[str] = []
    while failed.count("candidate") < 5:
        failed.append(node.get("/status/503").json()["name"])
    platform.wait(lambda: {node.who() for _ in range(6)} == {"stable"})
    _, envelope = recalled(platform, new["bento_digest"])
    platform.publish(recalls=[envelope])
    platform.wait(lambda: not node.agent.replicas.of("rev_1"))
    assert {node.who() for _ in range(6)} == {"stable"}


def test_a_node_with_a_full_disk_goes_on_reporting_and_counting(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "EVERY_SECONDS", 0.1)
    platform.serve(platform.revision(1, platform.build("good"), weight=10_000))
    platform.wait_phase("rev_1", "serving")

    disk.fill(node.home.folder.parent)
    for _ in range(3):  # each window is closed, and saved, on a full disk
        before = len(platform.reports)
        assert node.get("/status/500").status_code == 500
        platform.wait(lambda: counted(platform, since=before) == 1)  # noqa: B023


def counted(platform: Platform, since: int) -> int:
    """Return the server errors that were told of ``since`` so many reports."""
    rows = [row for told in platform.reports[since:] for row in told["metrics"]]
    return sum(row["status_5xx"] for row in rows)


def test_an_agent_starts_anew_on_a_full_disk_and_heeds_a_recall(
    platform: Platform, node: NodeUnderTest
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.serve(good)
    platform.wait_phase("rev_1", "serving")
    node.stop()
    disk.fill(node.home.folder.parent)
    node.start()
    platform.wait(lambda: node.who() == "good")
    _, envelope = recalled(platform, good["bento_digest"])
    platform.publish(recalls=[envelope])
    platform.wait(lambda: "recall_unstored" in platform.errors())
    platform.wait(lambda: node.get().status_code == 503)
    platform.wait(lambda: not node.agent.replicas.all)


def test_on_a_full_disk_people_take_requests_back_and_stop_a_revision(
    platform: Platform, node: NodeUnderTest
) -> None:
    new = platform.revision(1, platform.build("candidate"), weight=5_000)
    old = platform.revision(2, platform.build("stable"), weight=5_000)
    platform.serve(old, new, stable="rev_2")
    platform.wait(lambda: platform.seen("rev_1")["weight"] == 5_000)

    ballast = disk.fill(node.home.folder.parent)
    old, new = {**old, "weight": 10_000}, {**new, "weight": 0}
    platform.serve(old, new, stable="rev_2")
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 10_000)
    assert {node.who() for _ in range(8)} == {"stable"}
    platform.serve(old, {**new, "wanted": "stop"}, stable="rev_2")
    platform.wait(lambda: not node.agent.replicas.of("rev_1"))
    platform.wait(lambda: platform.reports[-1]["applied"]["number"] == platform.number)
    platform.wait(lambda: "state_unstored" in platform.errors())

    disk.fill(node.home.folder.parent)  # what was stopped has left some room
    third = platform.revision(3, platform.build("third"), weight=0)
    platform.serve(old, third, stable="rev_2")
    waits = platform.wait_phase("rev_3", "refused")
    assert "cannot be written down" in waits["detail"], "nobody would know that it was let in"
    ballast.unlink()
    platform.wait_phase("rev_3", "ready")
    platform.wait(lambda: not node.agent.trust.behind)
    again = Home(node.home.folder)
    assert again.remembered().number == platform.number
    assert again.read_text("state.json") == platform.envelope


def test_a_bento_or_runtime_that_does_not_fit_keeps_no_room(
    platform: Platform, joined: NodeUnderTest
) -> None:
    digest = platform.build("large", **{"src/weights": os.urandom(8 << 20).hex()})
    folder = joined.home.folder.parent
    agent = Agent(joined.home, OPTIONS)
    try:
        ballast = disk.fill(folder)
        os.truncate(ballast, ballast.stat().st_size - (10 << 20))
        room = shutil.disk_usage(folder).free
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                agent.bentos.fetch(digest, None)
            assert list(agent.bentos.folder.iterdir()) == []
            assert shutil.disk_usage(folder).free == room
        disk.fill(folder)
        runtimes, runtime = agent.preparer.runtimes, platform.runtime
        with pytest.raises((OSError, RuntimeFailed)):
            runtimes.install(runtime)
        assert list(runtimes.folder.iterdir()) == []
        ballast.unlink()
        agent.bentos.fetch(digest, None)
        agent.bentos.check(digest)
        runtimes.install(runtime)
        assert runtimes.has(runtime)
    finally:
        close(agent)
