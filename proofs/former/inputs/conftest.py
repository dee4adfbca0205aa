"""What the tests of this folder share.

They are written for 5a35692 and run there alone, by ``proofs/faults.py``, which copies them below
``tests/integration``: ``world`` and ``node`` are that release's own, and so is the browser.
"""

from collections.abc import Callable

import pytest

from tests.browser.conftest import (  # noqa: F401  (fixtures)
    chromium,
    database_beside_playwright,
    open_as,
)
from tests.governed import World
from tests.integration.registry.conftest import artifacts, lab  # noqa: F401  (fixtures)
from tests.integration.registry.helpers import Lab
from tests.nodes import SimulatedNode, run

RunJobs = Callable[..., int]


@pytest.fixture
def serving(world: World, node: SimulatedNode, run_jobs: RunJobs) -> SimulatedNode:
    """The node of the world's only target, which serves a first release."""
    world.request("development")
    run(node, run_jobs)
    return node


@pytest.fixture
def ask(lab: Lab) -> Callable[..., int]:  # noqa: F811  (the fixture from above)
    """Upload files and ask what is missing of the version; returns the status of the answer."""

    def finalise(**files: bytes) -> int:
        version, client = lab.draft(), lab.api
        for name, data in files.items():
            lab.put(version, name.replace("__", "."), data)
        client.raise_request_exception = False  # as a server does
        return int(client.get(f"{lab.at(version)}/finalise").status_code)

    return finalise
