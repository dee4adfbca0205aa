"""An agent in a process of its own whose replicas are ``replica_server.py``.

``run_agent.py HOME`` runs one; ``run_agent.py --fork`` forks them, see ``support/forking.py``.
"""

import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from placet_agent import scaling
from placet_agent.downloads.pythons import Interpreters
from placet_agent.loop import Agent, Options
from placet_agent.process import limits, replicas
from placet_agent.process.starting import Door, bento_program
from placet_agent.reports import report
from placet_agent.state.data_dir import Home


def server_program(door: Door) -> list[str]:
    """Return the command of a test's replica."""
    where = f"port:{door.port}" if door.port else f"fd:{door.fd}"
    return ["/runtime/bin/python", "-I", "/bento/server.py", where]


OPTIONS = Options(
    bind="127.0.0.1",
    program=server_program,
    window_seconds=1.0,
    poll_seconds=1,
    keys_seconds=0.5,
    max_body_bytes=1 << 20,
    warm=False,
)


def warm_program(door: Door) -> list[str]:
    """Have the product's own launcher serve what is slim, as ``warm_bento`` makes it."""
    return bento_program(door) if door.slim or door.control >= 0 else server_program(door)


WARM = replace(OPTIONS, program=warm_program, warm=True)

# What an agent does every five seconds it does more often here: tests wait for it.
HURRY = ((report, "EVERY_SECONDS", 0.5), (replicas, "EGRESS_EVERY", 0.5))


def run(home: str) -> None:
    """Run the agent of a folder."""
    for module, name, seconds in HURRY:
        setattr(module, name, seconds)
    logging.basicConfig(level="INFO")
    if os.environ.get("PLACET_TEST_LIMITS") == "off":  # to see what the limits are good for
        limits.limiter = lambda: limits.Limiter("prlimit")  # type: ignore[assignment]
    if seconds := os.environ.get("PLACET_TEST_REST"):  # before a revision sleeps
        scaling.QUIET_SECONDS = scaling.REST_SECONDS = float(seconds)
    options = OPTIONS
    if os.environ.get("PLACET_TEST_WARM"):
        options = WARM
        # with more cores a further endpoint's first replica has another share than was foreseen
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    agent = Agent(Home(Path(home)), options)
    signal.signal(signal.SIGTERM, lambda *_: agent.stop())
    agent.run()


if __name__ == "__main__":
    if sys.argv[1] == "--fork":
        from tests.support.forking import serve

        Interpreters([])  # asked once for all that are forked
        serve(run)
    else:
        run(sys.argv[1])
