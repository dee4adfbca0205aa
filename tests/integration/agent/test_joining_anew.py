"""A node that joins another platform, one that was set up anew say, with the folder that it has."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from placet_agent.loop import Agent
from placet_agent.state import files
from placet_agent.state.data_dir import Home
from placet_agent.state.joining import JoinFailed, join
from tests.integration.agent.conftest import ROOT, a_platform
from tests.integration.agent.control import Platform
from tests.integration.agent.run_agent import OPTIONS
from tests.integration.agent.test_faulty_documents import agent, close, handed
from tests.integration.agent.test_recalls import recalled
from tests.support.permits import SERVING

__all__ = ["agent"]


@pytest.fixture
def other() -> Iterator[Platform]:
    """A platform that was set up anew: another root, and its own ids at the same paths."""
    made = a_platform()
    yield made
    made.close()


def at_the_same_path(other: Platform, bento: str) -> dict[str, Any]:
    """Have the other platform serve a Bento where the one before did; return its endpoint."""
    serving = {**SERVING, "variables": {}, "replicas": 1}
    case = other.case(bento, "rel_7", endpoint="end_new", serving=serving)
    row = other.revision(7, bento, permit=case.document(other.keys["decision"]), weight=10_000)
    return {**other.endpoint(row), "id": "end_new"}


def joined(home: Home, platform: Platform) -> None:
    """Have the folder join."""
    join(home, platform.url, platform.token, root="", port=8080, pythons=[])


def handed_anew(home: Home, platform: Platform) -> dict[str, str]:
    """Start an agent on the folder and hand it a state; return what it refuses."""
    again = Agent(home, OPTIONS)
    try:
        return handed(again, platform)
    finally:
        close(again)


def test_it_serves_at_the_paths_of_before_and_what_was_recalled_stays_so(
    agent: Agent, platform: Platform, other: Platform
) -> None:
    platform.endpoints = [platform.endpoint(platform.revision(2, platform.build("one")))]
    _, envelope = recalled(platform, platform.build("bad"))
    assert handed(agent, platform, recalls=[envelope]) == {"rev_2": ""}
    other.endpoints = [at_the_same_path(other, other.build("two"))]

    joined(Home(agent.home.folder), other)

    home = Home(agent.home.folder)
    assert handed_anew(home, other) == {"rev_7": ""}
    other.endpoints = [at_the_same_path(other, other.build("bad"))]
    assert "it was recalled" in handed_anew(home, other)["rev_7"]


def test_joining_the_same_target_again_forgets_nothing(agent: Agent, platform: Platform) -> None:
    platform.endpoints = [platform.endpoint(platform.revision(1, platform.build("one")))]
    assert handed(agent, platform) == {"rev_1": ""}
    before = agent.home.remembered()

    joined(Home(agent.home.folder), platform)

    assert Home(agent.home.folder).remembered() == before


def test_it_does_not_join_elsewhere_while_its_agent_runs(agent: Agent, other: Platform) -> None:
    with files.locked(agent.home.folder), pytest.raises(JoinFailed, match="end it before"):
        joined(Home(agent.home.folder), other)


@pytest.mark.parametrize("name", ["memory.json", "node.json", "keys.json"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_joining_elsewhere_may_be_cut_short_anywhere_and_repeated(
    agent: Agent, platform: Platform, other: Platform, tmp_path: Path, name: str, when: str
) -> None:
    platform.endpoints = [platform.endpoint(platform.revision(1, platform.build("one")))]
    assert handed(agent, platform) == {"rev_1": ""}
    folder = str(agent.home.folder)
    (tmp_path / "points").mkdir()
    (tmp_path / "points" / f"agent.{when}_rename.{name}").touch()
    words = [sys.executable, "-m", "placet_agent", "join", other.url, "--token", other.token]
    cut = {"PYTHONPATH": str(ROOT / "platform"), "PLACET_CRASH_FOLDER": str(tmp_path / "points")}
    for status in (-9, 0):
        done = subprocess.run(
            [*words, "--data", folder], env={**os.environ, **cut}, capture_output=True, check=False
        )
        assert done.returncode == status, done.stderr

    other.endpoints = [at_the_same_path(other, other.build("two"))]
    assert handed_anew(Home(agent.home.folder), other) == {"rev_7": ""}
