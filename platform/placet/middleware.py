"""Probes that work with no session and no actor, and refusals outside DRF."""

import re
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django_structlog.middlewares import RequestMiddleware
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from placet.errors import answer
from placet.kernel.bodies import CHUNK_TYPE, most_bytes, too_long
from placet.kernel.config import config
from placet.kernel.problems import InvalidInput, LengthRequired, Problem, TooLarge, WrongMethod
from placet.kernel.waiting import ASKED, WAITED, Wait


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


def has_nul(request: HttpRequest) -> bool:
    """Tell whether path or query hold a NUL: no name has one, and PostgreSQL takes none."""
    return "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", "")


def is_too_large(request: HttpRequest) -> bool:
    """Tell whether a body is larger than anything takes but what gathers an upload: before forms
    are read, which Django does before it looks who sends one."""
    if request.META.get("CONTENT_TYPE") == CHUNK_TYPE:
        return False
    length = str(request.META.get("CONTENT_LENGTH") or 0)
    return length.isdecimal() and int(length) > most_of(request)


def most_of(request: HttpRequest) -> int:
    """Return how many bytes a request's body may have: more where a form takes files."""
    return most_bytes(request.path_info, request.META.get("CONTENT_TYPE") or "")


class CookieNamesMiddleware:
    """Drops cookies that browsers know by another name than Django reads.

    A page at a host beside ours may set a cookie of our domain under any name but those of
    ``__Host-`` (RFC 6265bis, section 4.1.3.2). Django takes blanks off a name that browsers do not
    know as such, a no-break space among them, and then takes it for our own.
    """

    NAME = re.compile(r"[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*")  # RFC 9110, section 5.6.2

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on with those whose names are plain, before anything reads one."""
        if cookies := request.META.get("HTTP_COOKIE"):
            plain = [c for c in cookies.split(";") if self.NAME.fullmatch(c.partition("=")[0])]
            request.META["HTTP_COOKIE"] = ";".join(plain)
        return self.get_response(request)


class PublicAddressMiddleware:
    """Gives a request the address of ``PLACET_PUBLIC_URL`` before a view sees it: no link, key or
    passkey is made of a host, a port or a scheme that the client chose.

    Which names are answered says ``PLACET_ALLOWED_HOSTS``, in which ports do not count: nodes and
    proxies ask by names of their own. Forms are compared with the name that they came by, before.
    The one that was asked stays in ``request.asked_host``, for what leads who asks back to it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> None:
        """Put our own address in the place of the one that was asked."""
        request.asked_host = request.get_host()  # type: ignore[attr-defined]
        scheme, _, host = config().public_origin.partition("://")
        request.META |= {"HTTP_HOST": host, "wsgi.url_scheme": scheme}
        request.META.pop("HTTP_X_FORWARDED_PROTO", None)  # which would win
        for cached in ("headers", "_current_scheme_host"):
            request.__dict__.pop(cached, None)


class RequestIdMiddleware:
    """Gives every request one id: the client's ``X-Request-ID`` when it is a UUID or 32 hex digits,
    else a new one. Logs, problems, jobs, events and the answer's header all carry it: what is
    hashed for ever must have no room for a name.
    """

    RANDOM = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Settle the id before the logs bind it, and answer with it."""
        header = request.headers.get("X-Request-ID", "")
        known = header if self.RANDOM.fullmatch(header) else str(uuid.uuid4())
        request.META["HTTP_X_REQUEST_ID"] = known
        request.__dict__.pop("headers", None)  # cached before the id was settled
        response = self.get_response(request)
        response["X-Request-ID"] = known
        return response


class RequestLogMiddleware(RequestMiddleware):
    """Logs one line for each request when it is answered; of one that has waited, how long."""

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        """Log it, or leave that to whoever answers it later."""
        wait: Wait | None = request.META.get(ASKED)
        if wait is None:
            if WAITED in request.META:
                structlog.contextvars.bind_contextvars(waited=rounded(request.META[WAITED].waited))
            super().handle_response(request, response)
            return
        line = {"code": response.status_code, "request": self.format_request(request)}
        wait.log = partial(log_later, line | structlog.contextvars.get_contextvars())
        structlog.contextvars.clear_contextvars()


def log_later(line: dict[str, Any], seconds: float) -> None:
    """Log a request that was answered without news, ``seconds`` after it came."""
    logger = structlog.get_logger(RequestMiddleware.__module__)
    logger.info("request_finished", **line, waited=rounded(seconds))


def rounded(seconds: float) -> float:
    """Return seconds as logs have them."""
    return round(seconds, 3)


class ProblemMiddleware:
    """Turns a :class:`Problem` that a page or a middleware raised into its answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; a problem raised by a middleware below becomes its answer."""
        if has_nul(request):
            return answer(request, InvalidInput("The address holds a NUL character"))
        if "Transfer-Encoding" in request.headers:
            # Django and the API take a body without its length for none: what it says would be lost
            return answer(request, LengthRequired("A body in pieces (chunked) is not taken here"))
        if is_too_large(request):
            kind = request.META.get("CONTENT_TYPE") or ""
            return answer(request, TooLarge(too_long(request.path_info, kind)))
        try:
            response = self.get_response(request)
        except Problem as problem:
            return answer(request, problem)
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        refusal = answer(request, WrongMethod())  # Django's own is an empty page
        refusal["Allow"] = response["Allow"]
        return refusal

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a refusal that a view raised; leave every other exception to Django."""
        return answer(request, error) if isinstance(error, Problem) else None
