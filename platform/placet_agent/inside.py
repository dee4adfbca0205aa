"""Runs inside a replica, by the runtime's own Python: serves the Bento at ``/bento``.

    inside.py BENTO --fd N       on the socket that was handed over
    inside.py BENTO --slim N     on it too, without BentoML around what the build wrote
    inside.py BENTO --port P     on a port of the replica's own loopback, where a link leads to it

All that is used of BentoML beyond its command line stands here: the worker that ``bentoml serve``
starts takes a socket with ``--fd``, and its application is made without what HAProxy does already.
That is private to BentoML, so each version is tried before it is named in ``TRIED``
(``tests/e2e/agent/test_inside.py``). What the worker cannot serve alone, a
Bento of several services or workers for one, ends at once with ``NOT_ON_A_SOCKET``: the agent
starts it anew with a port. Standard library only, and nothing of the agent: it is not there.
"""

import importlib.metadata
import logging
import os
import random
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

TRIED = frozenset({"1.4.40"})  # versions of BentoML whose worker was tried on a socket
NOT_ON_A_SOCKET = 78  # the status that asks for a port
KEEP_ALIVE = 10 * 365 * 24 * 3600  # seconds: who asks closes a connection, never the replica
BACKLOG = 4096  # as the socket was made: listening again with less would shrink it


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

    leave_out_what_is_done_twice()
    service = load(bento, standalone_load=True)
    if not alone(service):
        sys.exit(NOT_ON_A_SOCKET)
    words = [bento, "--fd", fd, "--service-name", service.name]
    words += ["--worker-id", "1", "--backlog", str(BACKLOG)]
    words += ["--timeout-keep-alive", str(KEEP_ALIVE)]
    worker(words)


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


if __name__ == "__main__":
    {"--fd": on_socket, "--slim": slim, "--port": on_port}[sys.argv[2]](sys.argv[1], sys.argv[3])
