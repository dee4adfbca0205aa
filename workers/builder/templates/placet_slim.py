"""The same application without BentoML around it, for who serves it so: as fast as it can be."""

from collections import Counter
from typing import Any

from placet_capture import Capture, Files
from placet_http import DESCRIPTION, Gate, PredictApp, release_headers
from placet_inputs import read_info
from placet_model import Model
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route


def application() -> Gate:
    """Load the model and return the ASGI application. Whatever the model raises is raised."""
    info = read_info()
    app = PredictApp(info, Capture(info["signature"], Files().append))
    app.model = Model(info)
    return Gate(Served(info, app), release_headers(info["name"]))


class Served:
    """Leads requests for predictions straight to what answers them, and counts them by status.

    Every other has the routes that BentoML puts beside it, by the library that BentoML has.
    """

    def __init__(self, info: dict[str, Any], app: PredictApp) -> None:
        self._info, self._app = info, app
        self._counted: Counter[int] = Counter({200: 0, 500: 0})  # from zero on, for a rate
        self._registry = CollectorRegistry()
        self._registry.register(self)  # type: ignore[arg-type]
        probes = [Route(path, alive) for path in ("/livez", "/healthz", "/readyz")]
        own = [Route("/metrics", self.metrics), Route("/schema.json", self.schema)]
        self._beside = Starlette(routes=[*probes, *own, Mount("/", app)])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["path"].rstrip("/") != "/predict":  # as PredictApp reads it
            await self._beside(scope, receive, send)
            return

        async def counting(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._counted[message["status"]] += 1
            await send(message)

        await self._app(scope, receive, counting)

    def collect(self) -> Any:
        """Return what was counted, as BentoML names and labels it."""
        labels = {
            "endpoint": "/predict",
            "service_name": self._info["bento"],
            "runner_name": self._info["bento"],
        }
        total = CounterMetricFamily(
            "bentoml_service_request_total",
            "Requests to the service's APIs",
            labels=[*labels, "http_response_code"],
        )
        for status, count in self._counted.items():
            total.add_metric([*labels.values(), str(status)], count)
        yield total

    async def metrics(self, _: Request) -> Response:
        """Answer with the counts in Prometheus' text format."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def schema(self, _: Request) -> Response:
        """Answer with what BentoML says of a service that has no APIs of its own."""
        known = {"name": self._info["bento"], "type": "service", "routes": []}
        return JSONResponse({**known, "description": DESCRIPTION, "paths": {}})


async def alive(_: Request) -> Response:
    """Answer a probe: who listens has loaded the model."""
    return PlainTextResponse("\n")
