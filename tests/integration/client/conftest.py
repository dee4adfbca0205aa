"""A home with no login, and a project whose data scientist, Ada, uses the command line."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import become
from tests.support.world import World


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own, with no login."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PLACET_URL", raising=False)
    monkeypatch.delenv("PLACET_TOKEN", raising=False)
    return tmp_path


@pytest.fixture
def world(world: World, home: Path, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """The project, whose data scientist, Ada, has logged in."""
    become(world, "Ada", live_server.url, monkeypatch)
    return world
