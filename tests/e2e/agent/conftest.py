"""A platform and a node that runs real Bentos."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from placet_agent.loop import Options
from placet_agent.state.data_dir import Home
from placet_agent.state.joining import join
from tests.integration.agent.conftest import NodeUnderTest, free_port
from tests.integration.agent.control import Platform


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform without endpoints."""
    made = Platform("3.13")
    yield made
    made.close()


@pytest.fixture
def node(platform: Platform, tmp_path: Path) -> Iterator[NodeUnderTest]:
    """A node that runs real Bentos."""
    home, port = Home(tmp_path / "node"), free_port()
    join(home, platform.url, platform.token, root="", port=port, pythons=[])
    made = NodeUnderTest(platform, home, port)
    made.start(Options(bind="127.0.0.1", poll_seconds=1))
    yield made
    made.clean()
