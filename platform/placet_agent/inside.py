"""Runs inside a replica, by the runtime's own Python: serves the Bento at ``/bento``.

    inside.py BENTO --fd N       on the socket that was handed over
    inside.py BENTO --port P     on a port of the replica's own loopback, where a link leads to it

All that is used of BentoML beyond its command line stands here: the worker that ``bentoml serve``
starts takes a socket with ``--fd``. It is private to BentoML, so each version is tried before it is
named in ``TRIED`` (``tests/e2e/agent/test_inside.py``). What the worker cannot serve alone, a
Bento of several services or workers for one, ends at once with ``NOT_ON_A_SOCKET``: the agent
starts it anew with a port. Standard library only, and nothing of the agent: it is not there.
"""

import importlib.metadata
import os
import sys
import tempfile
from typing import Any

TRIED = frozenset({"1.4.40"})  # versions of BentoML whose worker was tried on a socket
NOT_ON_A_SOCKET = 78  # the status that asks for a port
KEEP_ALIVE = str(10 * 365 * 24 * 3600)  # seconds: who asks closes a connection, never the replica
BACKLOG = "4096"  # as the socket was made: listening again with less would shrink it


def on_socket(bento: str, fd: str) -> None:
    """Serve by BentoML's own worker, in this process."""
    if importlib.metadata.version("bentoml") not in TRIED:
        sys.exit(NOT_ON_A_SOCKET)
    # Read when bentoml is imported; without it /metrics never answers.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-")
    from _bentoml_impl.loader import load  # type: ignore[import-not-found]
    from _bentoml_impl.worker.service import (  # type: ignore[import-not-found]
        main as worker,
    )

    service = load(bento, standalone_load=True)
    if not alone(service):
        sys.exit(NOT_ON_A_SOCKET)
    words = [bento, "--fd", fd, "--service-name", service.name]
    words += ["--worker-id", "1", "--backlog", BACKLOG, "--timeout-keep-alive", KEEP_ALIVE]
    worker(words)


def alone(service: Any) -> bool:
    """Tell whether one worker is all that ``bentoml serve`` would start for this service."""
    return (
        len(service.all_services()) == 1
        and service.config.get("workers") in (None, 1)
        and "gpu" not in (service.config.get("resources") or {})
        and not service.envs
        and not service.has_custom_command()
        and not service.needs_task_db()
        and not any(
            getattr(getattr(service.inner, name, None), "__bentoml_deployment_hook__", False)
            for name in dir(service.inner)
        )
    )


def on_port(bento: str, port: str) -> None:
    """Serve as ``bentoml serve`` does, with all its processes."""
    words = [sys.executable, "-m", "bentoml", "serve", bento, "--host", "127.0.0.1", "--port", port]
    os.execv(sys.executable, words)  # noqa: S606


if __name__ == "__main__":
    {"--fd": on_socket, "--port": on_port}[sys.argv[2]](sys.argv[1], sys.argv[3])
