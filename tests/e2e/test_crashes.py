"""The whole platform under ``kill -9`` at named points: a worker in the middle of a build and of a
rollout, the node's agent between its files and HAProxy, and a web process before and behind a
commit. ``make prove`` goes through all points."""

from pathlib import Path

import pytest

from tests.crashes.campaign import campaign
from tests.support.cache import RUNTIMES

pytestmark = pytest.mark.e2e
POINTS = (
    "before_commit.version.created.v1", "after_commit.release.decided.v1",
    "builds.after_scan", "builds.after_commit_success",
    "rollouts.before_command", "rollouts.after_store",
    "agent.after_rename.state.json", "agent.before_rename.route.map", "agent.after_haproxy_maps",
)  # fmt: skip


def test_a_release_goes_live_whatever_is_killed_on_its_way(tmp_path: Path) -> None:
    with campaign(tmp_path, impatient=False, runtimes=RUNTIMES) as found:
        outcome = found.run(POINTS)
        assert outcome.faults == []
        assert outcome.hit == sorted(POINTS)
        assert found.whole() == []
