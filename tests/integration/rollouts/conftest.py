"""The node serves a first release."""

from collections.abc import Callable

import pytest

from tests.support.nodes import SimulatedNode, run
from tests.support.world import World


@pytest.fixture
def node(world: World, node: SimulatedNode, run_jobs: Callable[..., int]) -> SimulatedNode:
    """The node of the world's only target, which serves a first release."""
    world.request("development")
    run(node, run_jobs)
    return node
