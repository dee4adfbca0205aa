"""What would take all of a machine is done in a process that may take little."""

import os
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


def bounded(act: Callable[[], object], *, seconds: int = 5, megabytes: int = 500) -> str:
    """Do something with so many seconds of a processor, and so much memory beside what there is.

    Returns how it ended: "done", the name of an error, or "killed" when time ran out.
    """
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of others: the child runs ``act`` alone
        child = os.fork()
    if child == 0:
        _act(act, write, seconds, megabytes << 20)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said or "killed"


def _act(act: Callable[[], object], write: int, seconds: int, memory: int) -> NoReturn:
    """Never returns: the child ends with what it says."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        memory += pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        act()
        said = "done"
    except BaseException as error:
        said = type(error).__name__
    os.write(write, said.encode())
    os._exit(0)
