"""Django's four error handlers: problem details for programs, a page for people."""

import sys
from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_page
from django.template.loader import render_to_string

from placet.kernel.api.errors import as_problem, database_problem, headers_of, render, request_id
from placet.kernel.problems import Forbidden, NotFound, Problem


def answer(request: HttpRequest, problem: Problem, *, back_to: str = "") -> HttpResponse:
    """Answer ``problem`` in the form the client asked for; a page leads ``back_to`` its form."""
    if request.path_info.startswith(("/api/", "/agent/")):
        return render(problem, request)
    context = {"problem": problem, "request_id": request_id(), "back_to": back_to}
    return render_page(request, "error.html", context, status=problem.status)


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Answer 400; who set a server up is told which setting is not there yet."""
    if isinstance(exception, DisallowedHost):
        text = "This server does not answer for the host that was asked (PLACET_ALLOWED_HOSTS)"
        return answer(request, Problem(text))
    known = as_problem(exception) if isinstance(exception, Exception) else None
    return answer(request, known or Problem("The request is malformed"))


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Answer 403."""
    return answer(request, Forbidden())


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Answer 404."""
    return answer(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, saying nothing of the cause; 503 or 507 when the database is it."""
    if problem := database_problem(sys.exc_info()[1]):
        return without_database(request, problem)
    return answer(
        request, Problem("Something went wrong on our side", code="internal_error", status=500)
    )


def without_database(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Answer ``problem`` and ask the database nothing: a usual page looks for the person first."""
    if request.path_info.startswith(("/api/", "/agent/")):
        return render(problem, request)
    context = {"problem": problem, "request_id": request_id()}
    page = render_to_string("unavailable.html", context)
    return HttpResponse(page, status=problem.status, headers=headers_of(problem))
