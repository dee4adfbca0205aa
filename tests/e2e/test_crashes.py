"""The whole platform under ``kill -9`` at named points: a worker in the middle of a build and of a
rollout, the node's agent between its files and HAProxy. ``make prove`` goes through all points."""

from pathlib import Path

import pytest

from tests.crashes import walk

pytestmark = pytest.mark.e2e
POINTS = (
    "builds.after_scan", "builds.after_commit_success",
    "rollouts.before_command", "rollouts.after_store",
    "agent.after_rename.state.json", "agent.before_rename.route.map", "agent.after_haproxy_maps",
)  # fmt: skip


def test_a_release_goes_live_whatever_is_killed_on_its_way(tmp_path: Path) -> None:
    outcome = walk(tmp_path, POINTS)
    assert outcome.faults == []
    assert outcome.hit == sorted(POINTS)
    assert outcome.size > 30
