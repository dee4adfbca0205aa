"""A project whose only target serves a first release."""

from collections.abc import Callable

import pytest

from tests.governed import World
from tests.nodes import SimulatedNode, run


@pytest.fixture
def world() -> World:
    """A project with its people."""
    return World()


@pytest.fixture
def node(world: World, run_jobs: Callable[..., int]) -> SimulatedNode:
    """The node of the world's only target, which serves a first release."""
    joined = SimulatedNode.joined(world.target)
    joined.report()
    world.request("development")
    run(joined, run_jobs)
    return joined
