"""Starts the small programs that stand beside replicas, each a process of its own.

They run on the standard library and the agent's own code alone (``-I -S``): nothing that stands in
the environment or in site-packages is imported, and they stay small.
"""

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from placet_agent.process import procs
from placet_agent.process.procs import ProcessRef

READY = "ready"
START_SECONDS = 20.0
_RUN = (  # none of them speaks TLS, which asyncio would import: 3 MB of each process
    "import sys; sys.path.append(sys.argv[1]); sys.modules['ssl'] = None; "
    "from importlib import import_module; import_module(sys.argv[2]).main(sys.argv[3:])"
)
_children: list["subprocess.Popen[bytes]"] = []  # what was started and may have ended since
_reaping = threading.Lock()  # replicas are started by threads of their own


class NotStarted(Exception):
    """A program does not start; the sentence says why."""


def command(module: str) -> list[str]:
    """Return the command that runs ``main`` of a module of ours."""
    root = Path(__file__).resolve().parents[2]
    return [sys.executable, "-I", "-S", "-c", _RUN, str(root), module]


def start(
    module: str,
    arguments: Iterable[str],
    *,
    log: Path,
    marker: tuple[str, str],
    handles: Iterable[int] = (),
) -> ProcessRef:
    """Start a program and wait until it says that it stands.

    It inherits ``handles`` under their numbers and has nothing in its environment but ``marker``,
    by which it is found whoever remembers it. Raises ``NotStarted``.
    """
    reap()
    reader, writer = os.pipe()
    try:
        with log.open("ab") as output:
            child = subprocess.Popen(
                [*command(module), *arguments, "--ready", str(writer)],
                cwd="/",
                env=dict([marker]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[*handles, writer],
            )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    try:
        return _await(child, module, reader)
    finally:
        os.close(reader)


def _await(child: "subprocess.Popen[bytes]", module: str, reader: int) -> ProcessRef:
    message = _read(reader)
    ref = procs.find(child.pid)  # not reaped yet: the pid is still its own
    if message == READY and ref is not None:
        with _reaping:
            _children.append(child)
        return ref
    child.kill()
    child.wait()
    raise NotStarted(message or f"{module} ended at once or said nothing; its log says more")


def _read(reader: int) -> str:
    text, end = b"", time.monotonic() + START_SECONDS
    while (left := end - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            break
        chunk = os.read(reader, 4096)
        if not chunk:
            break
        text += chunk
    return text.decode(errors="replace").strip()


def reap() -> None:
    """Collect what has ended of the programs that were started here."""
    with _reaping:
        _children[:] = [child for child in _children if child.poll() is None]
