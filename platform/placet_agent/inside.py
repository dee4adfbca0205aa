"""Runs inside a replica, by the runtime's own Python: serves the Bento at ``/bento``.

    inside.py BENTO --fd N       on the socket that was handed over
    inside.py BENTO --slim N     on it too, without BentoML around what the build wrote
    inside.py BENTO --port P     on a port of the replica's own loopback, where a link leads to it
    inside.py BENTO --warm N …   as soon as socket N hands it over; until then no Bento is there

All that is used of BentoML beyond its command line stands here: the worker that ``bentoml serve``
starts takes a socket with ``--fd``, and its application is made without what HAProxy does already.
That is private to BentoML, so each version is tried before it is named in ``TRIED``
(``tests/e2e/agent/test_inside.py``). What the worker cannot serve alone, a
Bento of several services or workers for one, ends at once with ``NOT_ON_A_SOCKET``: the agent
starts it anew with a port. Standard library only, and nothing of the agent: it is not there.
"""

import gc
import importlib
import importlib.metadata
import json
import logging
import os
import random
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

TRIED = frozenset({"1.4.40"})  # versions of BentoML whose worker was tried on a socket
NOT_ON_A_SOCKET = 78  # the status that asks for a port
KEEP_ALIVE = 10 * 365 * 24 * 3600  # seconds: who asks closes a connection, never the replica
BACKLOG = 4096  # as the socket was made: listening again with less would shrink it
NOT_TAKEN = 79  # the status of a warm process that cannot serve what it was handed
MESSAGE_BYTES = 1 << 18  # of all that a warm process is told, or says, at once

# What a warm process imports: what the servers need, and what models need whose service a build
# wrote. Not what reads the service's own settings as it is imported, or starts threads that work:
# onnxruntime, torch, mlflow.
SLIM = (
    "uvicorn",
    "uvicorn.lifespan.off",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.httptools_impl",
    "starlette.applications",
    "anyio.to_thread",
    "anyio._backends._asyncio",
    "prometheus_client.exposition",
)
BENTOML = (
    "_bentoml_impl.loader",
    "_bentoml_impl.worker.service",
    "_bentoml_impl.server.app",
    "_bentoml_impl.server.serving",
    "opentelemetry.instrumentation.asgi",
    "bentoml._internal.server.http.access",
    "bentoml._internal.server.http.instruments",
)
LIBRARIES = ("numpy", "pandas", "joblib", "sklearn.ensemble", "sklearn.pipeline", "skops.io")


def on_socket(bento: str, fd: str) -> None:
    """Serve by BentoML's own worker, in this process."""
    if importlib.metadata.version("bentoml") not in TRIED:
        sys.exit(NOT_ON_A_SOCKET)
    make_place_for_metrics()
    from _bentoml_impl.loader import load  # type: ignore[import-not-found]
    from _bentoml_impl.worker.service import (  # type: ignore[import-not-found]
        main as worker,
    )

    leave_out_what_is_done_twice()
    service = load(bento, standalone_load=True)
    if not alone(service):
        sys.exit(NOT_ON_A_SOCKET)
    words = [bento, "--fd", fd, "--service-name", service.name]
    words += ["--worker-id", "1", "--backlog", str(BACKLOG)]
    words += ["--timeout-keep-alive", str(KEEP_ALIVE)]
    worker(words)


def make_place_for_metrics() -> None:
    """To be there when bentoml is imported: without it /metrics never answers."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-")


def slim(bento: str, fd: str) -> None:
    """Serve the application that the build wrote, and nothing else: it stands in ``placet_slim``
    of the Bento. BentoML is not imported."""
    source = f"{bento}/src"
    os.chdir(source)  # where BentoML serves it, too
    sys.path.insert(0, source)
    logging.basicConfig(level=logging.INFO)
    import uvicorn
    from placet_slim import application  # type: ignore[import-not-found]

    config = uvicorn.Config(
        application(),
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        server_header=False,
        access_log=False,
        lifespan="off",
        log_config=None,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(fd))])


def leave_out_what_is_done_twice() -> None:
    """Have BentoML's application write no line, make no span and measure no time for a request:
    HAProxy does, and to do it again takes longer than most models."""
    from _bentoml_impl.server.app import ServiceAppFactory  # type: ignore[import-not-found]
    from bentoml._internal.server.http.access import AccessLogMiddleware
    from bentoml._internal.server.http.instruments import RunnerTrafficMetricsMiddleware
    from opentelemetry.instrumentation.asgi import (  # type: ignore[import-not-found]
        OpenTelemetryMiddleware,
    )
    from starlette.middleware import Middleware

    twice = (AccessLogMiddleware, OpenTelemetryMiddleware, RunnerTrafficMetricsMiddleware)
    whole = ServiceAppFactory.middlewares.fget

    def middlewares(factory: Any) -> list[Any]:
        return [Middleware(RequestCount), *(one for one in whole(factory) if one.cls not in twice)]

    ServiceAppFactory.middlewares = property(middlewares)


class RequestCount:
    """What stays of them: each request has an id of its own, which its answer says, and those to
    the service's APIs are counted for ``/metrics``, by API and status."""

    def __init__(self, app: Any) -> None:
        from bentoml._internal.container import BentoMLContainer
        from bentoml._internal.context import server_context, trace_context

        self.app, self.trace, self.served = app, trace_context, server_context
        # The service that a build generates has no APIs in BentoML's eyes, but this one.
        own = ["/predict"] if Path("placet.json").exists() else []
        self.routes = frozenset([*server_context.service_routes, *own])
        self.counted: dict[tuple[str, int], Any] = {}
        self.total = BentoMLContainer.metrics_client.get().Counter(
            namespace=BentoMLContainer.api_server_config.metrics.namespace.get(),
            name="request_total",
            documentation="Requests to the service's APIs",
            labelnames=[*self._labels("", 0)],
        )
        for route in self.routes:  # from zero on, for who asks for a rate
            for status in (200, 500):
                self._of(route, status)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.trace.request_id = random.getrandbits(64)
        path = scope["path"] if scope["path"] in self.routes else scope["path"].rstrip("/")

        async def say(message: Any) -> None:
            if message["type"] == "http.response.start" and path in self.routes:
                self._of(path, message["status"]).inc()
            await send(message)

        await self.app(scope, receive, say)

    def _of(self, route: str, status: int) -> Any:
        if (route, status) not in self.counted:
            labels = self._labels(route, status)
            self.counted[route, status] = self.total.labels(**labels)
        return self.counted[route, status]

    def _labels(self, route: str, status: int) -> dict[str, Any]:
        """Return BentoML's own labels."""
        return {
            "endpoint": route,
            "service_name": self.served.bento_name,
            "service_version": self.served.bento_version,
            "http_response_code": status,
            "runner_name": self.served.service_name,
        }


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


# --- a warm process --------------------------------------------------------------------------


def warm(bento: str, fd: str) -> None:
    """Import what a replica needs, wait to be handed one, and serve it as a fresh start would.

    What it was started with says what to import: ``slim``, or BentoML; ``libraries`` of models. It
    says which variables were asked for meanwhile, since one that is set later would have come too
    late, and ends when the agent has.
    """
    kinds, control = sys.argv[4:], socket.socket(fileno=int(fd))
    asked = asked_for(kinds)
    control.send(json.dumps({"ready": sorted(asked)}).encode())
    text, handles, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
    if not handles:
        sys.exit(0)
    told = json.loads(text)
    if why := unfit(bento, told["variables"], asked):
        refuse(control, why)
    os.environ.update(told["variables"])
    renew_seeds()
    control.send(b'{"taken": true}')
    control.close()
    how, door = ("--slim", slim) if "slim" in kinds else ("--fd", on_socket)
    sys.argv[1:] = [bento, how, str(handles[0])]
    door(bento, str(handles[0]))


def asked_for(kinds: list[str]) -> set[str]:
    """Import what is to be warm; return the variables that were looked up meanwhile, there or not.

    What is not part of the runtime is left out. Whatever else a module raises ends the process.
    """
    asked, known = set[str](), type(os.environ).__getitem__

    def look_up(environment: Any, name: str) -> str:
        asked.add(str(name))
        return known(environment, name)

    type(os.environ).__getitem__ = look_up  # type: ignore[method-assign]
    try:
        for name in (*servers(kinds), *(LIBRARIES if "libraries" in kinds else ())):
            with suppress(ModuleNotFoundError):
                importlib.import_module(name)
    finally:
        type(os.environ).__getitem__ = known  # type: ignore[method-assign]
    gc.collect()
    gc.freeze()  # what is there now stays: it need not be looked through again
    return asked


def servers(kinds: list[str]) -> tuple[str, ...]:
    """Return the modules of the server, none of a BentoML that was not tried."""
    if "slim" in kinds:
        return SLIM
    with suppress(importlib.metadata.PackageNotFoundError):
        if importlib.metadata.version("bentoml") in TRIED:
            make_place_for_metrics()
            return BENTOML
    return ()


def unfit(bento: str, variables: dict[str, str], asked: set[str]) -> str:
    """Say why a fresh start would serve this Bento otherwise; '' where it would not.

    It would find the Bento's own module of a name that stands for another one here, and read
    variables that were looked up here before they were set.
    """
    if late := asked & variables.keys():
        return f"{min(late)} was read before it was set"
    with suppress(FileNotFoundError):
        for path in Path(bento, "src").iterdir():
            name = path.name.partition(".")[0]
            if name in sys.modules:
                return f"it has a module {name} of its own"
    return ""


def refuse(control: socket.socket, why: str) -> NoReturn:
    """Have the agent start the replica afresh."""
    control.send(json.dumps({"refused": why}).encode())
    sys.exit(NOT_TAKEN)


def renew_seeds() -> None:
    """Have random numbers be this replica's own, whatever was drawn or kept before."""
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()


DOORS = {"--fd": on_socket, "--slim": slim, "--port": on_port, "--warm": warm}

if __name__ == "__main__":
    DOORS[sys.argv[2]](sys.argv[1], sys.argv[3])
