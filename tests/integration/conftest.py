"""What tests over real parts share: a broker, and what a node believes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from placet_agent.state.trust import Trust
from tests.support.forgeries import trusting
from tests.support.processes import Valkey, running_valkey
from tests.support.world import World


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A broker of the test's own, on a Unix socket."""
    with running_valkey(tmp_path) as found:
        yield found


@pytest.fixture
def trust(world: World, tmp_path: Path) -> Trust:
    """The verification that the node agent does, with the installation's root pinned."""
    return trusting(world, tmp_path / "node")
