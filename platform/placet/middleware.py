"""Probes that work with no session and no actor, and refusals outside DRF."""

from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from placet.errors import answer
from placet.kernel.problems import Problem


class ProbeMiddleware:
    """Serves ``/livez``, ``/readyz`` and ``/metrics``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or pass the request on."""
        if request.path == "/livez":
            return JsonResponse({"status": "ok"})
        if request.path == "/readyz":
            return ready()
        if request.path == "/metrics":
            return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
        return self.get_response(request)


def ready() -> HttpResponse:
    """Return 200 when PostgreSQL answers, else 503 naming what does not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:
        return JsonResponse({"status": "unavailable", "database": type(error).__name__}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})


class ProblemMiddleware:
    """Turns a :class:`Problem` that a page or a middleware raised into its answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; a problem raised by a middleware below becomes its answer."""
        try:
            return self.get_response(request)
        except Problem as problem:
            return answer(request, problem)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a refusal that a view raised; leave every other exception to Django."""
        return answer(request, error) if isinstance(error, Problem) else None
