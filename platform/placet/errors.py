"""Django's four error handlers: problem details for programs, a page for people."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_page

from placet.kernel.api.errors import render, request_id
from placet.kernel.problems import Forbidden, NotFound, Problem


def answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Answer ``problem`` in the form the client asked for."""
    if request.path.startswith(("/api/", "/agent/")):
        return render(problem, request)
    context = {"problem": problem, "request_id": request_id()}
    return render_page(request, "error.html", context, status=problem.status)


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Answer 400."""
    return answer(request, Problem("The request is malformed"))


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Answer 403."""
    return answer(request, Forbidden())


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Answer 404."""
    return answer(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, saying nothing of the cause."""
    return answer(
        request, Problem("Something went wrong on our side", code="internal_error", status=500)
    )
