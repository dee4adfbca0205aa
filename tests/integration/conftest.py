"""What tests over real parts share: a broker, and a project with its people and a node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes import SimulatedNode
from tests.support.processes import Valkey, running_valkey
from tests.support.world import World


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A broker of the test's own, on a Unix socket."""
    with running_valkey(tmp_path) as found:
        yield found


@pytest.fixture
def world() -> World:
    """A project with its people."""
    return World()


@pytest.fixture
def node(world: World) -> SimulatedNode:
    """The node of the world's only target, which serves nothing yet."""
    joined = SimulatedNode.joined(world.target)
    joined.report()
    return joined
