"""An agent in a process of its own whose replicas are ``replica_server.py``."""

import logging
import os
import signal
import sys
from pathlib import Path

from placet_agent import limits
from placet_agent.home import Home
from placet_agent.loop import Agent, Options
from placet_agent.starting import Door


def server_program(door: Door) -> list[str]:
    """Return the command of a test's replica."""
    where = f"port:{door.port}" if door.port else f"fd:{door.fd}"
    return ["/runtime/bin/python", "-I", "/bento/server.py", where]


OPTIONS = Options(
    bind="127.0.0.1", program=server_program, window_seconds=1.0, poll_seconds=1,
    keys_seconds=0.5, max_body_bytes=1 << 20,
)  # fmt: skip

if __name__ == "__main__":
    logging.basicConfig(level="INFO")
    if os.environ.get("PLACET_TEST_LIMITS") == "off":  # to see what the limits are good for
        limits.limiter = lambda: limits.Limiter("prlimit")  # type: ignore[assignment]
    agent = Agent(Home(Path(sys.argv[1])), OPTIONS)
    signal.signal(signal.SIGTERM, lambda *_: agent.stop())
    agent.run()
