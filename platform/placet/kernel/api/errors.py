"""Turns every refusal, ours or the framework's, into ``application/problem+json``."""

import re
from typing import Any

import structlog
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from placet.kernel.config import config
from placet.kernel.problems import (
    DatabaseFull,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    Problem,
    TooLarge,
    Unavailable,
)

CONTENT_TYPE = "application/problem+json"
_CODES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_error",
}
_UNFILLED = re.compile(r' "\{\w+\}"')  # of a title that the framework fills in for its detail alone
DISK_FULL = "53100"  # PostgreSQL's disk_full
CUT_OFF = ("08", "57P")  # connection exceptions, shutdowns
RETRY_AFTER = "5"
TOO_MANY = "The form has more files or fields than anything takes: go back and send fewer of them"
log = structlog.get_logger(__name__)


def request_id() -> str:
    """Return the id of the request being answered ('' outside one)."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def pointers(detail: Any, prefix: str = "") -> list[FieldError]:
    """Flatten DRF's nested error detail into JSON pointers; '' is the whole body."""
    if isinstance(detail, dict):
        errors: list[FieldError] = []
        for key, value in detail.items():
            step = "" if key == "non_field_errors" else f"/{key}"
            errors += pointers(value, prefix + step)
        return errors
    if isinstance(detail, list):
        if all(not isinstance(item, dict | list) for item in detail):
            return [FieldError(prefix, " ".join(str(item) for item in detail))]
        return [e for i, item in enumerate(detail) for e in pointers(item, f"{prefix}/{i}")]
    return [FieldError(prefix, str(detail))]


def database_problem(error: BaseException | None) -> Problem | None:
    """Return what a database that is away, busy or full means to who asked; ``None`` for every
    other error.

    Where PostgreSQL itself said no, the transaction was taken back. A connection that broke off
    may have broken off behind the commit.
    """
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    log.error("database_failed", error=str(error))
    state = getattr(error.__cause__, "sqlstate", None) or ""
    if state == DISK_FULL:
        return DatabaseFull("Nothing was changed. An operator has to make room for the database.")
    if state and not state.startswith(CUT_OFF):
        return Unavailable("Nothing was changed. Try again in a few seconds.")
    problem = Unavailable("Look whether a change was made, then try again in a few seconds.")
    problem.unsettled = True
    return problem


def as_problem(error: Exception) -> Problem | None:
    """Return the problem that ``error`` stands for, or ``None`` when it is a defect of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Http404):
        return NotFound()
    if isinstance(error, PermissionDenied):
        return Forbidden()
    if isinstance(error, TooManyFilesSent | TooManyFieldsSent):
        return InvalidInput(TOO_MANY)
    if isinstance(error, RequestDataTooBig):
        return TooLarge(f"At most {config().max_body_bytes:,} bytes are taken here")
    if isinstance(error, DjangoValidationError):
        return InvalidInput(" ".join(error.messages))
    if isinstance(error, drf.ValidationError):
        faults = pointers(error.detail)
        whole = " ".join(fault.detail for fault in faults if not fault.pointer)
        return InvalidInput(whole, errors=[fault for fault in faults if fault.pointer])
    if isinstance(error, drf.APIException):
        code = _CODES.get(error.status_code, "bad_request")
        problem = Problem(str(error.detail), code=code, status=error.status_code)
        problem.title = _UNFILLED.sub("", str(error.default_detail))
        return problem
    return database_problem(error)


def headers_of(problem: Problem) -> dict[str, str]:
    """Return the headers that go with the status of ``problem``."""
    if problem.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="placet"'}
    return {"Retry-After": RETRY_AFTER} if problem.status in (429, 503) else {}


def marked(response: HttpResponse, problem: Problem) -> HttpResponse:
    """Let ``response`` say to the middleware around it whether it is known what was done."""
    response.unsettled = problem.unsettled  # type: ignore[attr-defined]
    return response


def render(problem: Problem, request: HttpRequest | None = None) -> HttpResponse:
    """Return ``problem`` as an HTTP response outside DRF."""
    body = problem.body(request_id=request_id(), instance=request.path if request else "")
    headers = headers_of(problem)
    return marked(
        JsonResponse(body, status=problem.status, content_type=CONTENT_TYPE, headers=headers),
        problem,
    )


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. An unknown error becomes a 500 that says nothing of its cause."""
    problem = as_problem(error)
    if problem is None:
        log.exception("request_failed")
        problem = Problem(
            "Something went wrong on our side; the request id finds it in the logs.",
            code="internal_error",
            status=500,
        )
        problem.title = "Internal error"
    request = context.get("request")
    body = problem.body(request_id=request_id(), instance=request.path if request else "")
    headers = headers_of(problem) | (getattr(error, "headers", {}) or {})
    response = Response(body, status=problem.status, headers=headers)
    response.content_type = CONTENT_TYPE
    response.exception = True
    marked(response, problem)
    return response
