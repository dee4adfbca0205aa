"""The node serves a first release."""

from collections.abc import Callable

import pytest

from tests.governed import World
from tests.nodes import SimulatedNode, run


@pytest.fixture
def node(world: World, node: SimulatedNode, run_jobs: Callable[..., int]) -> SimulatedNode:
    """The node of the world's only target, which serves a first release."""
    world.request("development")
    run(node, run_jobs)
    return node
