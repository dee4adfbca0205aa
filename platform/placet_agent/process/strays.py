"""Ends what was started for replicas, whoever remembers it: all of it bears the replica's mark.

A mark does not say of which node it is. The log does, which whatever is started for a replica
writes to: also what an agent of an earlier release started, and also when the log is removed.
"""

import logging
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from placet_agent.process import procs
from placet_agent.process.procs import ProcessRef
from placet_agent.process.sandbox import MARKER

log = logging.getLogger(__name__)
END_SECONDS = 10.0


def end(name: str) -> None:
    """End all that was started for a replica, what stands beside it included."""
    _end(procs.with_variable(MARKER, name))


def end_others(logs: Path, known: Iterable[str]) -> set[str]:
    """End every replica of this node that ``known`` does not name; return who that was."""
    folder = str(logs.resolve())
    named = set(known)
    strays = [
        (ref, name)
        for ref, name in procs.with_name(MARKER)
        if name not in named and procs.output_of(ref) == f"{folder}/{name}.log"
    ]
    for name in sorted({name for _, name in strays}):
        log.warning("replica %s has no record here and is ended", name)
    _end([ref for ref, _ in strays])
    return {name for _, name in strays}


def _end(refs: list[ProcessRef]) -> None:
    for ref in refs:
        ref.signal(signal.SIGKILL)
    end_by = time.monotonic() + END_SECONDS
    for ref in refs:
        if not procs.wait_gone(ref, max(0.0, end_by - time.monotonic())):
            log.error("process %s does not end", ref.pid)
