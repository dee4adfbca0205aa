"""A project whose only target has a node."""

import pytest

from tests.governed import World
from tests.nodes import SimulatedNode


@pytest.fixture
def world() -> World:
    """A project with its people."""
    return World()


@pytest.fixture
def node(world: World) -> SimulatedNode:
    """The node of the world's only target."""
    joined = SimulatedNode.joined(world.target)
    joined.report()
    return joined
