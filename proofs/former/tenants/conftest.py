"""What the tests of this folder share.

They are written for 5a35692 and run there alone, by ``proofs/faults.py``, which copies them below
``tests/integration/agent``: ``platform``, ``joined`` and ``world`` are that release's own.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from placet_agent.loop import Agent
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.run_agent import OPTIONS


@pytest.fixture
def agent(joined: NodeUnderTest) -> Iterator[Agent]:
    """An agent that is handed states by hand: no process runs."""
    made = Agent(joined.home, OPTIONS)
    yield made
    made.preparer.close()
    for client in (made.client, made._polling, made._fetching, made._shipping):
        client.close()


@pytest.fixture
def inside(platform: Platform, joined: NodeUnderTest) -> Callable[[str], str]:
    """Have a replica run lines of Python; returns the first that it printed."""

    def run(code: str) -> str:
        words = ["/runtime/bin/python", "-I", "-c", f"{code}\nimport time; time.sleep(60)"]
        joined.start(replace(OPTIONS, program=lambda port: words))
        platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
        logs = joined.home.folder / "logs"
        platform.wait(lambda: any(b"\n" in path.read_bytes() for path in logs.glob("*.log")))
        return next(logs.glob("*.log")).read_text().splitlines()[0]

    return run
